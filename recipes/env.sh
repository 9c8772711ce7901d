# The environment of every recipe. Source it after setting `extras`; it leaves the shell in the root of
# the repository with `python` being one that has the package and those extras installed:
#
#     extras=demo
#     . "$(dirname "${BASH_SOURCE[0]}")/env.sh"
#     python tools/...  "$@"
#
# It takes `--python 3.N` out of the recipe's own arguments and installs into `.venv-3.N`; without it,
# into `.venv`, with the newest Python found that MXNet runs on. What is installed already stays: a
# second run installs nothing and needs no network.
#
#     ETINYNET_PYTHON=/path/to/python    make .venv with this interpreter
#     ETINYNET_MXNET=mxnet-cu112         install this build of MXNet instead of the CPU one

set -euo pipefail
CDPATH='' cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

pythons="3.12 3.11 3.10 3.9 3.8" # newest first; MXNet 1.9.1 runs on no other
apt_line="apt-get install -y libgl1 libglib2.0-0 libgomp1"

die() {
    printf '%s: error: %s\n' "$(basename -- "$0")" "$*" >&2
    exit 2
}

# For recipes: print the value of the flag $1, which is $2.
value() {
    [ $# -ge 2 ] || die "$1 needs a value"
    printf '%s' "$2"
}

# Print the version of interpreter $1 if a virtual environment for MXNet can be made with it; otherwise
# print what is missing and fail. A pyenv shim of a version that is not selected does not start at all.
examine_python() {
    "$1" -c '
import sys
version = "%d.%d" % sys.version_info[:2]
if version not in sys.argv[1].split():
    sys.exit(1)
try:
    import ctypes, ssl, venv, ensurepip
except ImportError as error:
    remedy = ": apt-get install -y python%s-venv" % version if error.name == "ensurepip" else ""
    print("Python %s at %s lacks the module %s%s" % (version, sys.executable, error.name, remedy))
    sys.exit(1)
print(version)' "$2" 2>/dev/null
}

# Set `interpreter` to the first of the Pythons named in $1 that serves.
find_python() {
    local wanted candidate answer reason=""
    while IFS= read -r candidate; do
        if answer=$(examine_python "$candidate" "$1"); then
            interpreter=$candidate
            return
        fi
        reason=${reason:-$answer}
    done < <(
        for wanted in $1; do type -aP "python$wanted" || true; done
        type -aP python3 python || true
        for wanted in $1; do ls -d "${PYENV_ROOT:-$HOME/.pyenv}/versions/$wanted."*/bin/python 2>/dev/null || true; done
    )
    [ -z "$reason" ] || die "$reason"
    die "no Python ${1// /, } found on PATH. MXNet 1.9.1 runs on Python 3.8 to 3.12:" \
        "install one of them, or name it with ETINYNET_PYTHON=/path/to/python"
}

choose_python() {
    local answer
    if [ -n "$version" ]; then
        case " $pythons " in
            *" $version "*) find_python "$version" ;;
            *) die "--python $version: MXNet 1.9.1 runs on Python 3.8 to 3.12" ;;
        esac
    elif [ -n "${ETINYNET_PYTHON:-}" ]; then
        interpreter=$(type -P "$ETINYNET_PYTHON") || die "ETINYNET_PYTHON=$ETINYNET_PYTHON: no such program"
        answer=$(examine_python "$interpreter" "$pythons") ||
            die "ETINYNET_PYTHON=$ETINYNET_PYTHON: ${answer:-MXNet 1.9.1 runs on Python 3.8 to 3.12, not on this one}"
    else
        find_python "$pythons"
    fi
}

# The stamp says how the environment was made and what is in it. It is written last and removed first,
# so an environment with a stamp is whole.
read_stamp() {
    made_with="" made_version="" made_at="" made_mxnet="" made_from="" made_extras=""
    [ -f "$stamp" ] || return 0
    { read -r made_with; read -r made_version; read -r made_at
      read -r made_mxnet; read -r made_from; read -r made_extras; } <"$stamp" || true
}

# An environment can be used, and added to, if nothing that cannot be changed in place has changed.
is_usable() {
    read_stamp
    [ -n "$made_extras" ] && [ "$made_at" = "$PWD" ] &&
        { [ -n "$version" ] || [ -z "${ETINYNET_PYTHON:-}" ] || [ "$made_with" = "$(type -P "$ETINYNET_PYTHON")" ]; } &&
        { [ -z "${ETINYNET_MXNET:-}" ] || [ "$made_mxnet" = "$ETINYNET_MXNET" ]; } &&
        [ "$(examine_python "$venv/bin/python" "$pythons")" = "$made_version" ]
}

is_complete() {
    local extra
    is_usable && [ "$made_from" = "$(sha256sum <setup.py)" ] || return 1
    for extra in ${extras//,/ }; do
        case ",$made_extras," in *",$extra,"*) ;; *) return 1 ;; esac
    done
}

install() {
    local log="$venv/install.log" mxnet="${ETINYNET_MXNET:-cpu}" everything=$extras before=""
    local began=$SECONDS targets
    if is_usable; then
        before=$(cat "$stamp")
        interpreter=$made_with mxnet=$made_mxnet everything=$(tr , '\n' <<<"$made_extras,$extras" | sort -u | paste -sd,)
        rm -f "$stamp" "$venv/imports-work"
    else
        choose_python
        rm -rf "$venv"
    fi
    printf 'Installing MXNet, GluonCV and what they need into %s (%s), some minutes at first ... ' \
        "$venv" "$("$interpreter" -V)" >&2
    if [ -z "$before" ]; then
        "$interpreter" -m venv "$venv" || die "cannot make $venv with $interpreter"
    fi
    targets=(-e ".[$everything]" "$mxnet")
    if [ "$mxnet" = cpu ]; then
        if other_mxnet; then targets=(-e ".[$everything]"); else targets=(-e ".[cpu,$everything]"); fi
    fi
    # Older pips do not find the newer wheels and resolve no conflicts.
    if ! { run_pip "pip>=23" && run_pip "${targets[@]}"; } >"$log" 2>&1; then
        printf 'failed\n' >&2
        tail -n 15 "$log" >&2
        [ -z "$before" ] || printf '%s\n' "$before" >"$stamp" # pip leaves what it could not replace
        die "pip could not install the above; the whole log is $PWD/$log"
    fi
    printf '%s\n' "$interpreter" "$(examine_python "$venv/bin/python" "$pythons")" "$PWD" "$mxnet" \
        "$(sha256sum <setup.py)" "$everything" >"$stamp.partial"
    mv "$stamp.partial" "$stamp"
    printf 'done in %d s\n' $((SECONDS - began)) >&2
}

run_pip() {
    PIP_USER=0 "$venv/bin/python" -m pip install --no-input --disable-pip-version-check --progress-bar off "$@"
}

# Whether somebody has put another build of MXNet into the environment by hand.
other_mxnet() {
    "$venv/bin/python" -c '
import sys, importlib.util, importlib.metadata
names = {distribution.metadata["Name"] for distribution in importlib.metadata.distributions()}
sys.exit("mxnet" in names or importlib.util.find_spec("mxnet") is None)'
}

# The wheels of MXNet and OpenCV need some libraries of the system. This also fills matplotlib's font cache.
check_imports() {
    local errors
    if errors=$("$venv/bin/python" -c 'import gluon_etinynet._mxnet, cv2, gluoncv, matplotlib.pyplot' 2>&1 >/dev/null); then
        touch "$venv/imports-work"
        return
    fi
    case $errors in
        *libGL.so*|*libgomp.so*|*libglib-2*|*libgthread-2*)
            die "a library of the system is missing ($(tail -n 1 <<<"$errors")); on Debian and Ubuntu: $apt_line" ;;
        *) printf '%s\n' "$errors" >&2
           die "MXNet, OpenCV and GluonCV are installed in $PWD/$venv but cannot be imported (above)" ;;
    esac
}

version=""
arguments=()
while [ $# -gt 0 ]; do
    case $1 in
        --python) [ -n "${2:-}" ] || die "--python needs a version, such as 3.9"; version=$2; shift ;;
        --python=*) version=${1#*=} ;;
        *) arguments+=("$1") ;;
    esac
    shift
done
set -- ${arguments[@]+"${arguments[@]}"}

unset PYTHONHOME PYTHONPATH
venv=.venv${version:+-$version}
stamp=$venv/etinynet-stamp
if ! is_complete; then
    exec 9>.venv.lock
    flock -n 9 || { echo "Waiting for another recipe that is installing" >&2; flock 9; }
    is_complete || install
    exec 9>&-
fi
[ -e "$venv/imports-work" ] || check_imports
export VIRTUAL_ENV="$PWD/$venv" PATH="$PWD/$venv/bin:$PATH"

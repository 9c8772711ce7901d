# Every recipe sources this first:    . "$(dirname "${BASH_SOURCE[0]}")/env.sh"
#
# It leaves the shell in the root of the repository, the recipe's arguments without `--python 3.N` and with each
# `--flag=value` as `--flag value`, and a `python` that has the package, MXNet and all that recipes and tests need. They
# are installed into `.venv`, with the newest Python found that MXNet runs on, or into `.venv-3.N`: once, and again when
# setup.py has changed. Two variables choose what they are installed with, and later runs keep to it:
#
#     ETINYNET_PYTHON=/path/to/python    this interpreter
#     ETINYNET_MXNET=mxnet-cu112         this build of MXNet instead of the CPU one
set -euo pipefail
CDPATH='' cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

die() { printf '%s: error: %s\n' "$(basename -- "$0")" "$*" >&2; exit 2; }
value() { [ $# -ge 2 ] || die "$1 needs a value"; printf '%s' "$2"; } # of the flag $1

# Set `interpreter` to the one called for, or to the first found that can make an environment for MXNet.
find_interpreter() {
    local lacks reason="" examine='import sys
version = "%d.%d" % sys.version_info[:2]
assert version in sys.argv[1:]
try: import ctypes, ssl, venv, ensurepip
except ImportError as error:
    sys.exit(print(f"{sys.executable} lacks {error.name}: apt-get install -y python{version}-venv, or") or 1)'
    while IFS= read -r interpreter; do
        if lacks=$("$interpreter" -c "$examine" "${pythons[@]}" 2>/dev/null); then return; fi
        reason=${reason:-$lacks}
    done < <(
        set +e
        if [ -n "$python" ]; then type -P "$python"; exit; fi
        type -aP "${pythons[@]/#/python}" python3 python
        for n in "${pythons[@]}"; do ls -d "${PYENV_ROOT:-$HOME/.pyenv}/versions/$n."*/bin/python 2>/dev/null; done
    )
    die "${reason:-no Python ${pythons[*]} found${python:+ at $python}, and MXNet 1.9.1 runs on 3.8 to 3.12 only:}" \
        "name another with ETINYNET_PYTHON=/path/to/python"
}

# That file goes before an installation and comes after it: an environment that has it is whole.
is_usable() {
    python="" mxnet="" place="" made_from=""
    { read -r python; read -r mxnet; read -r place; read -r made_from; } <"$venv/installed"
    [ "${ETINYNET_PYTHON:-$python}" = "$python" ] && [ "${ETINYNET_MXNET:-$mxnet}" = "$mxnet" ] &&
        [ "$place" = "$PWD" ] && "$venv/bin/python" -c 'import pip'
} 2>/dev/null
is_complete() { is_usable && [ "$made_from" = "$(sha256sum <setup.py)" ]; }

install() {
    if ! is_usable; then
        python=${ETINYNET_PYTHON:-$python} mxnet=${ETINYNET_MXNET:-$mxnet}
        find_interpreter
        rm -rf "$venv"
        "$interpreter" -m venv "$venv" || die "cannot make $venv with $interpreter"
    fi
    rm -f "$venv/installed" "$venv/imports-work"
    printf 'Installing MXNet, GluonCV and what they need into %s, some minutes at first ... ' "$venv" >&2
    local log=$venv/install.log began=$SECONDS extras=demo,test pip=("$venv/bin/python" -m pip install --no-input)
    [ -n "$mxnet" ] || extras+=,cpu
    # Python compiles what it imports: a small part of what is installed.
    if ! { "${pip[@]}" "pip>=23" && "${pip[@]}" --no-compile -e ".[$extras]" ${mxnet:+"$mxnet"}; } >"$log" 2>&1; then
        printf 'failed\n%s\n' "$(tail -n 15 "$log")" >&2
        die "pip could not install the above; the whole log is $PWD/$log"
    fi
    printf '%s\n' "$python" "$mxnet" "$PWD" "$(sha256sum <setup.py)" >"$venv/installed"
    printf 'done in %d s\n' $((SECONDS - began)) >&2
}

venv=.venv pythons=(3.12 3.11 3.10 3.9 3.8) arguments=()
while [ $# -gt 0 ]; do
    case $1 in
        --python) number=$(value "$@"); shift ;;
        --python=*) number=${1#*=} ;;
        --*=-*) arguments+=("$1") ;; # argparse would take the value for a flag
        --*=*) arguments+=("${1%%=*}" "${1#*=}") ;;
        *) arguments+=("$1") ;;
    esac
    shift
done
set -- "${arguments[@]}"
if [ -n "${number+given}" ]; then
    [[ " ${pythons[*]} " = *" $number "* ]] || die "--python $number: MXNet 1.9.1 runs on Python 3.8 to 3.12"
    venv=.venv-$number pythons=("$number")
fi

unset PYTHONHOME PYTHONPATH
export PIP_USER=0
if ! is_complete; then
    exec 9>.venv.lock
    flock -n 9 || { echo "Waiting for another recipe that is installing" >&2; flock 9; }
    is_complete || install
    exec 9>&-
fi
if [ ! -e "$venv/imports-work" ]; then # this fills matplotlib's cache of fonts, too
    said=$("$venv/bin/python" -c 'import gluon_etinynet._mxnet, cv2, gluoncv, matplotlib.pyplot' 2>&1) ||
        die "what is installed in $venv cannot be used: ${said##*$'\n'}. Where a library is missing, on Debian and" \
            "Ubuntu: apt-get install -y libgl1 libglib2.0-0 libgomp1"
    touch "$venv/imports-work"
fi
export VIRTUAL_ENV="$PWD/$venv" PATH="$PWD/$venv/bin:$PATH"

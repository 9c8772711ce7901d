"""What a user meets first: the choice of a Python, quiet imports, and the message where MXNet is missing."""

import itertools
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]

NET = """
from gluon_etinynet._mxnet import mx
import gluoncv, gluoncv.model_zoo, gluoncv.data, gluoncv.utils
net = mx.gluon.nn.HybridSequential()
net.add(mx.gluon.nn.Conv2D(1, 3, in_channels=3, use_bias=False), mx.gluon.nn.BatchNorm(in_channels=1))
net.initialize(mx.init.One())
net.hybridize(static_alloc=True, static_shape=True)
output = net(mx.nd.ones((2, 3, 4, 4)))
assert output.shape == (2, 1, 2, 2) and abs(output.asnumpy() - 27).max() < 1e-3
"""


def python(code, *options, **variables):
    """Run `code` in a fresh interpreter that has only the default warning filters."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    return subprocess.run([sys.executable, *options, "-c", code], cwd=ROOT, env=dict(env, **variables),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)


def test_mxnet_and_gluoncv_are_quiet():
    done = python(NET)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_mxnet_and_gluoncv_are_quiet_where_all_warnings_are_shown():
    done = python(NET, "-W", "default")
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if "/mxnet/" in line or "/gluoncv/" in line]


def test_package_does_not_load_mxnet():
    done = python("import gluon_etinynet, sys; assert 'mxnet' not in sys.modules and 'gluoncv' not in sys.modules")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("names", list(itertools.permutations(["mxnet", "gluoncv", "gluon_etinynet"])))
def test_imports_in_any_order_are_quiet(names):
    """Where NumPy is 1.24 or newer, MXNet's own traceback comes first unless this package was imported before."""
    done = python("".join(f"import {name}\n" for name in names) +
                  "from gluon_etinynet import get_model\nget_model('etinynet1.0')")
    if names[0] == "gluon_etinynet" or np.lib.NumpyVersion(np.__version__) < "1.24.0":
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    else:
        assert "has no attribute 'bool'" in done.stderr


def test_what_mxnet_hardly_ever_uses_is_loaded_when_it_is_used():
    pytest.importorskip("scipy")
    done = python("""
from gluon_etinynet._mxnet import mx
import sys
later = "scipy.stats", "requests", "onnx"
assert not any(name in sys.modules for name in later)
assert mx.test_utils.ss.norm.ppf(0.5) == 0 and mx.gluon.utils.requests.Session()
import scipy.stats
from requests.exceptions import HTTPError
assert mx.contrib.quantization.stats.entropy is scipy.stats.entropy and type(sys.modules["requests"]) is type(sys)
""")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert python("import scipy.stats\nfrom gluon_etinynet._mxnet import mx\nassert mx.test_utils.ss is scipy.stats"
                  ).returncode == 0


def test_numpy_alias():
    done = python("import gluon_etinynet, numpy as np; assert np.bool is bool")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("obstacle, remedy", [
    ("sys.modules['mxnet'] = None", "pip install 'gluon_etinynet[cpu]'"),
    ("sys.modules['distutils'] = None", "pip install setuptools"),
    ("import numpy; del numpy.float64; numpy.__version__ = '2.1.0'", "pip install 'numpy<2'"),
    ("import ctypes\ndef fail(*_): raise OSError('libgomp.so.1: cannot open')\nctypes.CDLL = fail",
     "apt-get install libgomp1"),
])
def test_absent_mxnet_is_one_line(obstacle, remedy):
    done = python(f"import sys, numpy\n{obstacle}\nfrom gluon_etinynet._mxnet import mx")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and remedy in done.stderr and "Traceback" not in done.stderr


def test_absent_mxnet_can_be_caught():
    done = python("import sys; sys.modules['mxnet'] = None\n"
                  "try: import gluon_etinynet._mxnet\n"
                  "except ImportError: pass\n"
                  "1 / 0")
    assert "Traceback" in done.stderr and "ZeroDivisionError" in done.stderr


# A program that answers as this interpreter would if it were version {version}, without the module {lacks}. With
# `-m venv` it makes an environment of itself, with `-m pip` it notes how it was called and does what $PIP says.
IMPOSTOR = """#!/bin/sh
case "$1 $2" in
    "-m venv") mkdir -p "$3/bin" && exec cp "$0" "$3/bin/python" ;;
    "-m pip") echo "pip $*" >>"$HOME/calls"; eval "$PIP"; exit ;;
    "-m pytest") echo "$0 $*" >>"$HOME/calls"; exit ;;
    "-c import gluon_etinynet"*) eval "$IMPORTS"; exit ;;
esac
shift
exec '{python}' -c "import sys
sys.version_info = {version}
sys.modules['{lacks}'] = None
exec(sys.argv.pop(1))" "$@"
"""
PROGRAMS = ("sh", "bash", "basename", "dirname", "env", "ls", "cat", "rm", "sha256sum", "flock", "mkdir", "cp", "tail",
            "touch", "sleep")


@pytest.fixture
def machine(tmp_path):
    """A machine with the recipes and the programs they call, but no Python.

    Returns a function that puts an impostor on its PATH, one that runs ``recipes/test.sh``, which returns status and
    standard error, and one that says what pip and pytest were called with since it was asked last.
    """
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in PROGRAMS:
        (programs / name).symlink_to(shutil.which(name))
    clone = tmp_path / "a clone"
    shutil.copytree(ROOT / "recipes", clone / "recipes")
    shutil.copy(ROOT / "setup.py", clone)

    def start(*arguments, **variables):
        script = os.path.relpath(run.clone / "recipes" / "test.sh", tmp_path)
        return subprocess.Popen(["bash", script, *arguments], cwd=tmp_path, stderr=subprocess.PIPE,
                                env=dict(variables, PATH=str(programs), HOME=str(tmp_path)), universal_newlines=True)

    def run(*arguments, **variables):
        process = start(*arguments, **variables)
        message = process.communicate(timeout=60)[1]
        return process.returncode, message

    def install(name, **impostor):
        program = programs / name
        program.write_text(IMPOSTOR.format(python=sys.executable, **impostor) if impostor else "#!/bin/sh\nexit 127\n")
        program.chmod(0o755)

    def calls():
        log = tmp_path / "calls"
        lines = log.read_text().splitlines() if log.exists() else []
        log.write_text("")
        return lines

    run.start, run.clone = start, clone
    return install, run, calls


def refused(run, *arguments, **variables):
    """Run the recipe, which must end with one line and make nothing; return that line."""
    status, message = run(*arguments, **variables)
    assert not list(run.clone.glob(".venv*/*")), "an environment was made"
    assert status == 2 and message.count("\n") == 1 and message.startswith("test.sh: error: "), message
    return message


def test_no_python_that_serves(machine):
    install, run, _ = machine
    for name in ("python3.13", "python3", "python"):
        install(name, version=(3, 13, 0), lacks="none")
    install("python3.12")  # does not start, like the pyenv shim of a version that is not selected
    message = refused(run)
    assert "3.8 to 3.12" in message and "ETINYNET_PYTHON" in message
    assert "3.8 to 3.12" in refused(run, ETINYNET_PYTHON="python3.13")
    assert "3.8 to 3.12" in refused(run, ETINYNET_PYTHON="/no/such")
    assert "no Python 3.9 found" in refused(run, "--python", "3.9")


def test_python_without_venv(machine):
    install, run, _ = machine
    install("python3.12")
    install("python3", version=(3, 10, 0), lacks="ensurepip")
    assert "apt-get install -y python3.10-venv" in refused(run)


@pytest.mark.parametrize("arguments", [("--python", "3.13"), ("--python=3.7",), ("--python",), ("--python", "")])
def test_version_that_does_not_serve(machine, arguments):
    install, run, _ = machine
    install("python3.13", version=(3, 13, 0), lacks="none")
    assert "--python" in refused(run, *arguments)


def test_second_run_installs_nothing_and_changed_setup_does(machine):
    install, run, calls = machine
    install("python3.11", version=(3, 11, 0), lacks="none")
    assert run("-k", "a b")[0] == 0
    *pip, pytest_call = calls()
    assert len(pip) == 2 and "-e .[demo,test,cpu]" in pip[1]
    assert pytest_call == f"{run.clone}/.venv/bin/python -m pytest -n auto --dist worksteal -k a b"
    assert run("--flag=a=b", "--other=-O2") == (0, "") and calls()[0].endswith(" --flag a=b --other=-O2")
    (run.clone / "setup.py").write_text("# other requirements")
    (run.clone / ".venv" / "mine").touch()
    assert run()[0] == 0 and len(calls()) == 3
    assert (run.clone / ".venv" / "mine").exists(), "what a user has added is kept"
    assert run() == (0, "") and len(calls()) == 1


def test_choices_are_kept(machine):
    install, run, calls = machine
    for name, version in (("python3.11", (3, 11, 0)), ("python3.9", (3, 9, 0)), ("mine", (3, 10, 0))):
        install(name, version=version, lacks="none")
    assert run("--python", "3.9", ETINYNET_MXNET="mxnet-cu112")[0] == 0
    assert "-e .[demo,test] mxnet-cu112" in calls()[1]
    assert run("--python=3.9") == (0, "") and f"{run.clone}/.venv-3.9/bin/python " in calls()[0]
    assert run("--python=3.9", ETINYNET_MXNET="mxnet")[0] == 0 and len(calls()) == 3
    assert run(ETINYNET_PYTHON="mine")[0] == 0 and len(calls()) == 3
    assert run() == (0, "") and run(ETINYNET_PYTHON="mine") == (0, "")
    assert run(ETINYNET_PYTHON="python3.11")[0] == 0 and len(calls()) == 5


def test_moved_clone_is_installed_anew(machine, tmp_path):
    """The scripts in .venv/bin hold the folder's path."""
    install, run, calls = machine
    install("python3.11", version=(3, 11, 0), lacks="none")
    assert run()[0] == 0 and len(calls()) == 3
    run.clone = run.clone.rename(tmp_path / "moved")
    assert run()[0] == 0 and len(calls()) == 3


@pytest.mark.parametrize("variables, messages", [
    ({"PIP": "echo resolving; echo 'no network'; exit 1"}, ["no network", "pip could not install"]),
    ({"IMPORTS": "echo 'ImportError: libGL.so.1: no such file' >&2; exit 1"}, ["libGL.so.1", "apt-get install"]),
])
def test_failure_is_told_and_next_run_repairs_it(machine, variables, messages):
    install, run, calls = machine
    install("python3.11", version=(3, 11, 0), lacks="none")
    for _ in range(2):
        status, said = run(**variables)
        assert status == 2 and "pytest" not in "".join(calls())
        assert all(message in said for message in messages) and said.splitlines()[-1].startswith("test.sh: error: ")
    assert run()[0] == 0 and calls()
    assert run() == (0, "")


def test_interrupted_installation_is_repeated(machine):
    install, run, calls = machine
    install("python3.11", version=(3, 11, 0), lacks="none")
    process = run.start(PIP="kill -9 $PPID")
    process.communicate()
    assert process.returncode == -9 and len(calls()) == 1
    assert run()[0] == 0 and len(calls()) == 3


def test_two_recipes_do_not_install_at_once(machine):
    install, run, calls = machine
    install("python3.11", version=(3, 11, 0), lacks="none")
    first = run.start(PIP="sleep 1")
    deadline = time.monotonic() + 30
    while not (run.clone / ".venv" / "install.log").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    status, said = run()
    assert status == 0 and said == "Waiting for another recipe that is installing\n"
    first.communicate()
    assert first.returncode == 0 and sum(" pip " in call for call in calls()) == 2


SUITE = """
import pytest
@pytest.mark.slow
def test_slow(): pass
def test_weights(weights_dir): pass
@pytest.mark.xfail
def test_known(): assert False
"""


@pytest.mark.parametrize("options, variables, status, summary", [
    ((), {}, 0, "1 skipped, 1 deselected, 1 xfailed"),
    (("--slow",), {}, 0, "1 passed, 1 skipped, 1 xfailed"),
    ((), {"CI": "true"}, 1, "1 passed, 1 xfailed, 1 error"),
    ((), {"CI": "true", "ETINYNET_TEST_WEIGHTS": "."}, 0, "2 passed, 1 xfailed"),
])
def test_skipped_test_fails_in_ci_only(tmp_path, options, variables, status, summary):
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_suite.py").write_text(SUITE)
    env = {name: value for name, value in os.environ.items() if name not in ("CI", "ETINYNET_TEST_WEIGHTS")}
    done = subprocess.run([sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", *options], cwd=tmp_path,
                          env=dict(env, **variables), stdout=subprocess.PIPE, universal_newlines=True)
    assert done.returncode == status and summary in done.stdout, done.stdout
    assert ("set ETINYNET_TEST_WEIGHTS" in done.stdout) == ("ETINYNET_TEST_WEIGHTS" not in variables)


def test_module_skipped_as_a_whole_fails_in_ci(tmp_path):
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_suite.py").write_text("import pytest\npytest.importorskip('no_such_module')\n")
    done = subprocess.run([sys.executable, "-m", "pytest"], cwd=tmp_path, env=dict(os.environ, CI="true"),
                          stdout=subprocess.PIPE, universal_newlines=True)
    assert done.returncode != 0 and "no_such_module" in done.stdout, done.stdout

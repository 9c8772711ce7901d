"""What a user meets first: the choice of a Python, quiet imports, and the message where MXNet is missing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

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


def test_numpy_alias():
    done = python("from gluon_etinynet import _mxnet; import numpy as np; assert np.bool is bool")
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


# A program that answers as this interpreter would if it were version {version}, without the module {lacks}.
IMPOSTOR = """#!/bin/sh
shift
exec '{python}' -c "import sys
sys.version_info = {version}
sys.modules['{lacks}'] = None
exec(sys.argv.pop(1))" "$@"
"""


@pytest.fixture
def machine(tmp_path):
    """A machine with the recipes and the programs they call, but no Python; returns its `bin` and a runner."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "bash", "basename", "dirname", "env", "ls", "cat", "rm", "sha256sum", "flock"):
        (programs / name).symlink_to(shutil.which(name))
    clone = tmp_path / "a clone"
    shutil.copytree(ROOT / "recipes", clone / "recipes")
    shutil.copy(ROOT / "setup.py", clone)

    def run(*arguments, **variables):
        done = subprocess.run(["bash", "a clone/recipes/test.sh", *arguments], cwd=tmp_path,
                              env=dict(variables, PATH=str(programs), HOME=str(tmp_path)), timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        assert not list(clone.glob(".venv*/*")), "an environment was made"
        assert done.stderr.count("\n") == 1 and done.stderr.startswith("test.sh: error: "), done.stderr
        return done.returncode, done.stderr

    def install(name, **impostor):
        program = programs / name
        program.write_text(IMPOSTOR.format(python=sys.executable, **impostor) if impostor else "#!/bin/sh\nexit 127\n")
        program.chmod(0o755)

    return install, run


def test_no_python_that_serves(machine):
    install, run = machine
    for name in ("python3.13", "python3", "python"):
        install(name, version=(3, 13, 0), lacks="none")
    install("python3.12")  # does not start, like the pyenv shim of a version that is not selected
    status, message = run()
    assert status == 2 and "3.8 to 3.12" in message and "ETINYNET_PYTHON" in message
    status, message = run(ETINYNET_PYTHON="python3.13")
    assert status == 2 and "3.8 to 3.12" in message
    status, message = run("--python", "3.9")
    assert status == 2 and "no Python 3.9 found" in message


def test_python_without_venv(machine):
    install, run = machine
    install("python3.12")
    install("python3", version=(3, 10, 0), lacks="ensurepip")
    status, message = run()
    assert status == 2 and "apt-get install -y python3.10-venv" in message


@pytest.mark.parametrize("arguments", [("--python", "3.13"), ("--python=3.7",), ("--python",), ("--python", "")])
def test_version_that_does_not_serve(machine, arguments):
    install, run = machine
    install("python3.13", version=(3, 13, 0), lacks="none")
    status, message = run(*arguments)
    assert status == 2 and "--python" in message


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

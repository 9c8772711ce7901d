"""What all tests share: where the released weights and photographs are, slow tests, continuous integration."""

import gc
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when mxnet is loaded

import hypothesis
import pytest

IN_CI = bool(os.environ.get("CI"))

hypothesis.settings.register_profile("etinynet", deadline=None, derandomize=IN_CI)
hypothesis.settings.load_profile("etinynet")


def pytest_addoption(parser):
    parser.addoption("--slow", "--all", action="store_true", default=IN_CI,
                     help="run the tests marked slow too (always so where CI is set)")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than some seconds; runs with --slow")
    config.addinivalue_line("markers", "draws: looks at the curves of a training, which no other test draws")


def pytest_collection_finish():
    """Modules stay: each DataLoader collects garbage, a quarter of a second where it goes through them all."""
    gc.freeze()


def pytest_collection_modifyitems(config, items):
    if config.getoption("--slow"):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    outcome = yield
    _fail_if_skipped(outcome.get_result())


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report():
    outcome = yield
    _fail_if_skipped(outcome.get_result())


def _fail_if_skipped(report):
    """Continuous integration has everything that a test can need: there a skipped test is a failed one."""
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        path, line, reason = report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{path}:{line}: {reason} (with CI set, no test may be skipped)"


@pytest.fixture(autouse=True)
def no_curves(request, monkeypatch):
    """Curves take longer than the trainings of tests."""
    loop = sys.modules.get("gluon_etinynet.training.loop")
    if loop and not request.node.get_closest_marker("draws"):
        monkeypatch.setattr(loop, "draw_curves", lambda path, history: None)


@pytest.fixture(scope="session")
def weights_dir():
    """Folder with the released checkpoints."""
    return _folder("ETINYNET_TEST_WEIGHTS", "the released weights")


@pytest.fixture(scope="session")
def data_dir():
    """Folder with the photographs."""
    return _folder("ETINYNET_TEST_DATA", "photographs")


def _folder(variable, content):
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"needs {content}: set {variable} to their folder")
    if not Path(value).is_dir():
        pytest.skip(f"needs {content}: {variable}={value} is not a folder")
    return Path(value)


@pytest.fixture(scope="session")
def tiny_cifar(tmp_path_factory):
    """An archive in the form of CIFAR-10: 24 and 10 pictures of noise, two classes."""
    import numpy as np

    random, path, arrays = np.random.RandomState(0), tmp_path_factory.mktemp("cifar") / "tiny.npz", {}
    for part, count in (("train", 24), ("test", 10)):
        arrays["x_" + part] = random.randint(0, 256, (count, 32, 32, 3)).astype(np.uint8)
        arrays["y_" + part] = np.arange(count) % 2
    np.savez(path, classes=np.array(["a", "b"]), **arrays)
    return path

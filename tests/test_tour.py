"""docs/tour.ipynb runs from its first cell to its last, here with a tiny network."""

import os

import pytest
from running import ROOT, needs

nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")

TINY = """
import mxnet as mx
from gluon_etinynet import EtinyNet
from gluon_etinynet.networks.batch_norm import reestimate_batch_norm
mx.random.seed(1)
net = EtinyNet(8, [(8, 8), (12, 12), (16, 16), (16, 24)], classes=5)
net.initialize()
reestimate_batch_norm(net, [mx.nd.random.uniform(-128, 128, (8, 3, 64, 64))])
size, labels, names, steps = 64, list("abcde"), list("abcde"), 2
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Jupyter's own packages
def test_the_tour(tmp_path, monkeypatch):
    needs("make", "cc", "arm-none-eabi-gcc")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    tour = nbformat.read(ROOT / "docs" / "tour.ipynb", as_version=4)
    (cell,) = [cell for cell in tour.cells if "network" in cell.metadata.get("tags", ())]
    cell.source = cell.source.partition("\n")[0] + TINY
    nbclient.NotebookClient(tour, timeout=300, kernel_name="python3", resources={
        "metadata": {"path": str(tmp_path)}}).execute()
    said = "".join(output.get("text", "") for cell in tour.cells for output in cell.get("outputs", ()))
    assert "equal to the interpreter's" in said and "KiB of flash" in said
    page = (tmp_path / "runs" / "tour" / "report.html").read_text()
    assert 'id="levels"' in page and page.count("<img") == 2


def test_the_tour_is_kept_without_what_it_printed():
    tour = nbformat.read(ROOT / "docs" / "tour.ipynb", as_version=4)
    nbformat.validate(tour)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in tour.cells)

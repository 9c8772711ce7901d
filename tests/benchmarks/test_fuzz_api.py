"""The exported functions under libFuzzer: nothing in the runtime as it is, and each planted fault soon."""

import pytest
from c_export import call, export, needs
from running import load

from gluon_etinynet import InputError

PLANTED = {
    "a row too many": ("etn_network.c", "s->rows >= model->layer->in_rows", "s->rows > model->layer->in_rows"),
    "padding that was there before":
        ("etn_block.c", "    etn_fill_line(lines, reader->in_zero_point, rows * of.length);\n", ""),
}


@pytest.fixture(scope="module")
def fuzz_api():
    needs("clang")
    return load("benchmarks/fuzz_api.py")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["classifier", "detector"])
def test_no_fault(name, fuzz_api, tmp_path):
    program = fuzz_api.build(export(fuzz_api.NETWORKS[name](), tmp_path / "export"), tmp_path)
    executed, fault = fuzz_api.fuzz(program, 4, seed=0)
    assert fault is None and executed > 1000


@pytest.mark.slow
@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_fault_is_found(what, fuzz_api, tmp_path):
    source, right, wrong = PLANTED[what]
    folder = export(fuzz_api.NETWORKS["classifier"](), tmp_path / "export")
    path = folder / "src" / source
    assert path.read_text().count(right) == 1
    path.write_text(path.read_text().replace(right, wrong))
    program = fuzz_api.build(folder, tmp_path)
    _, fault = fuzz_api.fuzz(program, 20, seed=0)
    assert fault is not None
    calls, = tmp_path.glob("crash-*")
    with pytest.raises(InputError):  # those that it kept show it again
        call([program, calls])

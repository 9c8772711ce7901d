"""The fuzzer: it reports what is planted, and finds nothing in a sample of every format."""

import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from c_export import Sanitized, etinynet_graph, needs, ssd_graph
from running import ROOT, load

# By the number of the case; children run this file too, so that they have this reader.
PLANTED = """
import os
import time

import fuzz
import fuzz_files

from gluon_etinynet import InputError, cli


def read(path):
    case = path.parent.name.partition("case-")[2]
    if case == "1":
        return {}["absent"]
    if case == "2":
        raise InputError("it is damaged; replace it")
    if case == "3":
        os.write(2, b"libpng error: CRC error\\n")
    if case == "4":
        raise InputError(f"cannot read {path}: {len(bytearray(3 << 30))}")
    if case == "5":
        os.abort()
    while case == "6":
        pass
    if case == "7":
        raise InputError(f"{path} is damaged; replace it")


fuzz_files.FORMATS["json"] = fuzz_files.FORMATS["json"]._replace(read=read)
if __name__ == "__main__":
    cli.run(fuzz.main)
"""


def fuzz(script, out, *arguments):
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / "benchmarks")]))
    done = subprocess.run([sys.executable, script, "--out", out, *map(str, arguments)], cwd=ROOT, env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    assert done.stderr == ""
    with open(out / "fuzz.csv", newline="") as file:
        return done.returncode, {row["format"]: row for row in csv.DictReader(file)}


def test_planted_faults_are_reported(tmp_path):
    (tmp_path / "planted.py").write_text(PLANTED)
    status, rows = fuzz(tmp_path / "planted.py", tmp_path / "out", "--format", "json", "--cases", 9, "--children", 1,
                        "--seconds", 2)
    faults = {fault["case"]: fault for fault in json.loads((tmp_path / "out" / "fuzz.json").read_text())["faults"]}
    assert status == 1 and set(faults) == {1, 2, 3, 4, 5, 6}
    for case, words in enumerate(["KeyError: 'absent'", "the file is not named", "standard error has lines of its own",
                                  "MemoryError", "ended with -6", "not finished in 2 s"], start=1):
        assert words in faults[case]["fault"]
        assert os.listdir(faults[case]["files"])
    assert [rows["json"][key] for key in ("cases", "refused", "accepted", "fault")] == ["9", "1", "2", "6"]


@pytest.mark.slow
@pytest.mark.parametrize("formats, cases", [
    ("graph detector params checkpoint json cifar labels voc jpeg png bmp webp".split(), 60),
    (["record"], 30)])  # each starts the process that checks records, which takes half a second
def test_a_sample_of_damaged_files(formats, cases, tmp_path):
    status, rows = fuzz(ROOT / "benchmarks" / "fuzz.py", tmp_path, "--format", *formats, "--cases", cases, "--seed",
                        1000)
    assert status == 0 and list(rows) == formats
    for row in rows.values():
        assert row["cases"] == str(cases) and int(row["refused"]) > cases / 4 and int(row["accepted"]) > 0


@pytest.mark.parametrize("make_graph", [etinynet_graph, ssd_graph])
def test_changed_networks_are_held_against_their_c(make_graph, tmp_path):
    """The numbers that the fuzzer changes stay a network, another one; and a wrong number in the C is seen."""
    needs("cc")
    networks = load("benchmarks/fuzz_networks.py")
    original = make_graph("tiny", 33, 4, classes=3)
    original.save(tmp_path / "network.npz")
    networks.network_values(tmp_path / "network.npz", np.random.default_rng(0))
    graph = type(original).load(tmp_path / "network.npz")
    assert graph.sha256() != original.sha256()
    program = Sanitized(tmp_path).program(graph)
    assert networks.difference(graph, program) is None
    graph.nodes[-1].attrs["offset"][0] += 1 << 12
    assert networks.difference(graph, program) is not None

"""Table 3: the loop over the tool that quantises, and the table beside the paper's."""

import csv
import json

from running import run

SCRIPT = "benchmarks/table3.py"


def test_the_table_stands_beside_the_papers(tiny_cifar, tmp_path):
    out = tmp_path / "out"
    arguments = ("--model", "etinynet0.75", "--cifar", tiny_cifar, "--input-size", 32, "--batch-size", 8,
                 "--num-epochs", 1, "--float-epochs", 1, "--seeds", 3, "--lr", 1e-3, "--save-dir", out)
    done = run(SCRIPT, *arguments)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((out / "metrics.json").read_text())
    found = {(m["table"], m["row"], m["quantity"]): m for m in metrics["measurements"]}
    assert set(found) == {("3", "EtinyNet-0.75 ASQ", "top1"), ("3", "EtinyNet-0.75 DoReFa", "top1"),
                          ("2", "EtinyNet-0.75 (4-bit)", "top1"), ("2", "EtinyNet-0.75 (4-bit)", "top5")}
    assert not any(m["comparable"] for m in found.values())
    assert "tiny.npz" in found["3", "EtinyNet-0.75 ASQ", "top1"]["note"]
    with open(out / "table3.csv") as lines:
        rows = list(csv.reader(lines))
    assert [row[0] for row in rows[1:]] == ["ASQ", "DoReFa"]
    assert [row[-2:] for row in rows[1:]] == [["57.0", "5.2"], ["45.3", "16.9"]]
    float_top1, asq_top1, drop = (float(rows[1][column]) for column in (5, 6, 8))
    assert drop == float_top1 - asq_top1
    with open(out / "lambdas.csv") as lines:
        layers = list(csv.DictReader(lines))
    assert len(layers) == 2 * (1 + 14 * 3 + 1)
    assert {layer["lambda"] for layer in layers if layer["scheme"] == "dorefa"} == {""}
    check = run("benchmarks/check.py", "--runs", out)
    assert check.returncode == 0 and "other conditions" in check.stdout


def test_a_mistake_is_the_tools_line(tmp_path, capfd):
    done = run(SCRIPT, "--cifar", tmp_path / "absent.npz", "--save-dir", tmp_path / "out")
    assert done.returncode == 2 and "absent.npz" in capfd.readouterr().err
    assert not (tmp_path / "out" / "metrics.json").exists()

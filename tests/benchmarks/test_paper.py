"""The paper's numbers, the language of agreement, and the check that joins them with measurements."""

import csv
import json
import os
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from running import ROOT

from gluon_etinynet.files import InputError
from gluon_etinynet.report import paper

HEADER = "table,row,quantity,value,unit,agreement,recipe\n"


def entry(agreement, number):
    return paper.Entry("2", "EtinyNet-1.0", "top1", number, "%", agreement, "recipes/table2.sh")


# Typed from the paper's pages, not from paper.csv.
@pytest.mark.parametrize("table, row, quantity, number", [
    ("1", "EtinyNet-1.0", "params", 976),
    ("text", "EtinyNet-1.0", "params", 987),
    ("1", "EtinyNet-0.75", "params", 680),
    ("1", "EtinyNet-1.0", "madds", 117),
    ("1", "EtinyNet-0.75", "madds", 75),
    ("1", "EtinyNet-1.0", "stage4", "DLB 192-256-256, 256-256-256, 256-512-512"),
    ("1", "EtinyNet-0.75", "stage3", "DLB 96-168-168, 168-168-168 x2"),
    ("2", "MobileNeXt-0.35", "top1", 64.7),
    ("2", "MnasNet-A1-0.35", "top5", 85.1),
    ("2", "MobileNetV2-0.15", "madds", 39),
    ("2", "EtinyNet-1.0", "top1", 65.5),
    ("2", "EtinyNet-1.0", "top5", 86.2),
    ("2", "EtinyNet-0.75", "top1", 62.2),
    ("2", "EtinyNet-1.0 (4-bit)", "size_mb", 0.49),
    ("2", "EtinyNet-0.75 (4-bit)", "top5", 80.2),
    ("3", "EtinyNet-0.75 DoReFa", "top1", 45.3),
    ("4", "EtinyNet-1.0 STM32F746", "top1", 65.8),
    ("4", "MCUNet STM32F412", "top1", 62.2),
    ("5", "EtinyNet-SSD", "map", 56.4),
    ("5", "CMSIS", "sram_kb", 519),
    ("6", "AngelEye", "top1", 67.72),
    ("6", "EtinyNet-0.75 (4-bit)", "latency_ms", 9.7),
    ("6", "EtinyNet-0.75 (4-bit)", "dram", "none"),
    ("fig3", "layer3.2", "std", 0.054),
    ("fig3", "layer3.2 DoReFa", "valid_levels", 5),
    ("text", "EtinyNet-0.75", "feature_map_kb", 220.5),
    ("text", "training", "wd", 0.0001),
    ("text", "training", "images", 1281167),
    ("text", "QAT", "epsilon", 0.00001),
])
def test_values_are_those_of_the_paper(table, row, quantity, number):
    assert paper.value(table, row, quantity) == number


def test_every_row_of_the_tables_is_there():
    rows = {}
    for item in paper.load():
        rows.setdefault(item.table, set()).add((item.row, item.quantity))
    assert set(rows) == {"1", "2", "3", "4", "5", "6", "fig1", "fig3", "fig4", "text"}
    networks = {row for row, _ in rows["2"]}
    assert len(networks) == 14
    # Four columns of 14 networks, less three top-5 accuracies that the paper marks as unreported.
    assert len(rows["2"]) == 14 * 4 - 3
    assert len(rows["3"]) == 4
    assert sum(quantity == "top1" for _, quantity in rows["4"]) == 5
    assert sum(quantity in ("madds", "size_mb", "sram_kb", "map") for _, quantity in rows["5"]) == 12
    printed = {"device", "onchip_kb", "dram", "top1", "size_mb", "latency_ms", "power_w", "efficiency"}
    # Eight lines of three designs, less SSA's unreported accuracy.
    assert sum(q in printed and row != "XC7A100T" for row, q in rows["6"]) == 8 * 3 - 1


def test_what_is_measured_belongs_to_a_table_that_is_known():
    """Else benchmarks/check.py ends with status 2 once that benchmark has run."""
    known = {entry.table for entry in paper.load() + paper.load(paper.FLOORS_CSV)}
    named = {(path.name, table) for folder in ("benchmarks", "tools") for path in (ROOT / folder).glob("*.py")
             for table in re.findall(r'"table": "(\w+)"', path.read_text())}
    assert len(named) > 8 and {(name, table) for name, table in named if table not in known} == set()


def test_comparisons_in_the_text_follow_from_the_tables():
    """A slip of the scan or of our typing in one number breaks the paper's own arithmetic."""
    value = paper.value
    ours, small, tiny = "EtinyNet-1.0", "EtinyNet-0.75", "EtinyNet-0.75 (4-bit)"

    def gain(table, a, b, quantity="top1"):
        return round(value(table, a, quantity) - value(table, b, quantity), 1)

    def ratio(table, a, b, quantity="size_mb"):
        return value(table, a, quantity) / value(table, b, quantity)

    for peer in ("MobileNeXt-0.35", "MnasNet-A1-0.35"):
        assert gain("2", ours, peer) == value("text", f"{ours} over {peer}", "top1_gain")
    for width in (ours, small):
        claimed = value("text", f"{width} ASQ over DoReFa", "top1_gain")
        assert gain("3", f"{width} ASQ", f"{width} DoReFa") == claimed
        assert value("3", f"{width} ASQ", "top1") == value("2", f"{width} (4-bit)", "top1")
    assert gain("5", "EtinyNet-SSD", "MCUNet", "map") == value("text", "EtinyNet-SSD over MCUNet", "map_gain")
    assert round(100 * ratio("2", ours, "MobileNeXt-0.35")) == 54
    assert ratio("2", small, "MobileNetV1-0.5") == pytest.approx(1 / 2, abs=0.03)
    assert ratio("2", tiny, "EfficientNet-B") == pytest.approx(1 / 15, abs=0.002)
    assert ratio("5", "EtinyNet-SSD", "MCUNet") == pytest.approx(1 / 2, abs=0.01)
    assert ratio("6", "AngelEye", tiny, "power_w") == pytest.approx(5.6, abs=0.05)
    for design, digits in [("AngelEye", 4), ("SSA", 1), (tiny, 1)]:
        seconds, watts = value("6", design, "latency_ms") / 1000, value("6", design, "power_w")
        frames_per_second_per_mj = (1 / seconds) / (1000 * watts * seconds)
        assert round(frames_per_second_per_mj, digits) == value("6", design, "efficiency")
    assert round(1000 / value("6", tiny, "latency_ms")) == value("6", tiny, "fps")


@pytest.mark.parametrize("agreement, number, inside, outside", [
    ("exact", 5.0, [5, 5.0], [11, 4.999]),
    ("exact", "falls", ["falls"], ["rises", "Falls"]),
    ("abs 0.02", 3.92, [3.94, 3.90, 3.90544], [3.9401, 3.8999]),
    ("abs 0.5", 976.0, [976.36, 975.5, 976.5], [976.51, 987, 976360]),
    ("rel 0.2%", 680.0, [681.304, 681.36, 678.64], [681.37, 678.63]),
    ("rel 10%", -2.0, [-1.8, -2.2], [-1.79, -2.21, 2.0]),
    ("at least", 103.0, [103, 250], [102.99]),
    ("at most", 9.7, [9.7, 3.9], [9.701]),
])
def test_agreement_at_its_boundaries(agreement, number, inside, outside):
    assert all(paper.agrees(entry(agreement, number), measured) for measured in inside)
    assert not any(paper.agrees(entry(agreement, number), measured) for measured in outside)


@pytest.mark.parametrize("agreement", ["exact", "abs 0.5", "rel 5%", "at least", "at most"])
def test_nan_agrees_with_nothing(agreement):
    assert not paper.agrees(entry(agreement, 65.5), float("nan"))


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_bounds_are_two_sides_of_one_number(number, measured):
    above, below = (paper.agrees(entry(side, number), measured) for side in ("at least", "at most"))
    assert above or below
    assert (above and below) == paper.agrees(entry("exact", number), measured)


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(InputError, match="only cited"):
        paper.agrees(entry("cited", 0.62), 0.62)
    with pytest.raises(InputError, match="both must be numbers or both text"):
        paper.agrees(entry("abs 0.5", 65.5), "65.5")
    with pytest.raises(InputError, match="both must be numbers or both text"):
        paper.agrees(entry("exact", "none"), 0)


@pytest.mark.parametrize("line, message", [
    ("1,A,params,1,K,abs 1,r.sh\n1,A,params,2,K,abs 1,r.sh\n", "line 3: 1 / A / params stands here twice"),
    ("1,A,params,976,K,about,r.sh\n", "line 2: unknown agreement 'about'"),
    ("1,A,params,976,K,rel 5,r.sh\n", "line 2: unknown agreement 'rel 5'"),
    ("1,A,params,nan,K,abs 0.5,r.sh\n", "line 2: 'nan' is not a number"),
    ("1,A,params,many,K,at least,r.sh\n", "line 2: 'many' is not a number"),
    ("1,A,params,976,K,abs 0.5,\n", "line 2: a cited number has no recipe"),
    ("1,A,params,976,K,cited,r.sh\n", "line 2: a cited number has no recipe"),
    ("1,A,params,1,281,cited,\n1,A,madds,,M,cited,\n", "line 3: table, row, quantity and value"),
    ("1,A,params,1,281,K,cited,\n", "line 2: 8 columns instead of 7"),
    ("\n", "line 2: 0 columns instead of 7"),
])
def test_a_damaged_list_is_refused_with_its_line(tmp_path, line, message):
    path = tmp_path / "list.csv"
    path.write_text(HEADER + line)
    with pytest.raises(InputError, match=message) as caught:
        paper.load(path)
    assert str(path) in str(caught.value)


def test_a_list_with_other_columns_or_none_is_refused(tmp_path):
    path = tmp_path / "list.csv"
    with pytest.raises(InputError, match="cannot read"):
        paper.load(path)
    path.write_text("table,row,value\n")
    with pytest.raises(InputError, match="line 1: the columns must be"):
        paper.load(path)
    path.write_bytes(HEADER.encode() + b"1,\xff,params,1,K,cited,\n")
    with pytest.raises(InputError, match="cannot read"):
        paper.load(path)


def test_comparison_shows_the_paper_beside_the_measured():
    text = paper.comparison([
        {"table": "1", "row": "EtinyNet-1.0", "quantity": "params", "value": 976.36},
        {"table": "fig4", "row": "layer3.2", "quantity": "j_trend", "value": "rises",
         "differs": "another model"},
        {"table": "2", "row": "EtinyNet-1.0", "quantity": "top1", "value": 76.3, "comparable": False,
         "note": "430 photographs"}])
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    assert cells[0] == ["row", "quantity", "unit", "paper", "measured", "verdict", "note"]
    assert cells[2] == ["EtinyNet-1.0", "params", "K", "976", "976.36", "agrees", ""]
    assert cells[3][3:6] == ["falls", "rises", "differs (explained: another model)"]
    assert cells[4][3:] == ["65.5", "76.3", "other conditions", "430 photographs"]
    with pytest.raises(KeyError):
        paper.comparison([{"table": "1", "row": "EtinyNet-2.0", "quantity": "params", "value": 1}])


# The command, end to end.

PARAMS = {"table": "1", "row": "EtinyNet-1.0", "quantity": "params", "value": 976.36}


@pytest.fixture
def check(tmp_path):
    def call(*args, runs="runs"):
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        done = subprocess.run([sys.executable, str(ROOT / "benchmarks" / "check.py"), "--runs", runs, *args],
                              cwd=tmp_path, env=dict(os.environ, PYTHONPATH=path),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        assert "Traceback" not in done.stderr
        return done
    return call


@pytest.fixture
def measured(tmp_path):
    def write(run, *measurements, age=0):
        path = tmp_path / "runs" / run / "metrics.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"measurements": list(measurements), "seed": 1}))
        os.utime(path, (1_600_000_000 - age, 1_600_000_000 - age))
        return path
    return write


def rows_of(path):
    with open(path, newline="") as source:
        return {(row["table"], row["row"], row["quantity"]): row for row in csv.DictReader(source)}


def test_check_passes_what_agrees(check, measured, tmp_path):
    measured("table1", PARAMS)
    measured("deep/er/quickstart")
    (tmp_path / "runs" / "metrics.json").write_text('{"loss": 0.1}')
    done = check("--out", "all.csv")
    assert done.returncode == 0
    assert "1 agrees, " in done.stdout.splitlines()[-1]
    rows = rows_of(tmp_path / "all.csv")
    row = rows["1", "EtinyNet-1.0", "params"]
    assert (row["paper"], row["measured"], row["verdict"]) == ("976", "976.36", "agrees")
    assert row["from"] == os.path.join("runs", "table1", "metrics.json")
    assert rows["5", "EtinyNet-SSD", "map"]["verdict"] == "not run here"
    assert ("2", "MobileNeXt-0.35", "top1") not in rows


def test_check_lists_cited_numbers_on_demand(check, measured, tmp_path):
    measured("table1", PARAMS)
    assert check("--all", "--out", "all.csv").returncode == 0
    rows = rows_of(tmp_path / "all.csv")
    assert rows["2", "MobileNeXt-0.35", "top1"]["verdict"] == "cited"
    assert len(rows) == len(paper.load()) + len(paper.load(paper.FLOORS_CSV))


@pytest.mark.parametrize("number", [987, 976360, float("nan")])
def test_check_fails_on_a_planted_disagreement(check, measured, number):
    measured("table1", dict(PARAMS, value=number))
    done = check()
    assert done.returncode == 1
    assert "1 differs" in done.stdout.splitlines()[-1]


def test_an_explained_disagreement_is_shown_and_passes(check, measured):
    measured("fig4", {"table": "fig4", "row": "layer3.2", "quantity": "j_trend", "value": "rises",
                      "differs": "the released weights are another model"})
    done = check()
    assert done.returncode == 0
    assert "differs (explained: the released weights are another model)" in done.stdout
    assert "1 differs (explained)" in done.stdout.splitlines()[-1]


def test_an_explanation_does_not_hide_agreement(check, measured, tmp_path):
    measured("table1", dict(PARAMS, differs="not needed"))
    check("--out", "all.csv")
    assert rows_of(tmp_path / "all.csv")["1", "EtinyNet-1.0", "params"]["verdict"] == "agrees"


def test_other_conditions_are_not_judged(check, measured, tmp_path):
    measured("table2", {"table": "2", "row": "EtinyNet-1.0", "quantity": "top1", "value": 76.3,
                        "comparable": False, "note": "430 photographs"},
             {"table": "6", "row": "EtinyNet-0.75 (4-bit)", "quantity": "power_w", "value": 9.0,
              "comparable": False})
    assert check("--out", "all.csv").returncode == 0
    rows = rows_of(tmp_path / "all.csv")
    assert rows["2", "EtinyNet-1.0", "top1"]["verdict"] == "other conditions"
    assert rows["2", "EtinyNet-1.0", "top1"]["note"] == "430 photographs"
    assert rows["6", "EtinyNet-0.75 (4-bit)", "power_w"]["verdict"] == "other conditions"


@pytest.mark.parametrize("newest, status", [("a", 1), ("b", 0)])
def test_the_newest_file_wins_and_says_so(check, measured, tmp_path, newest, status):
    measured("a", dict(PARAMS, value=987), age=0 if newest == "a" else 60)
    measured("b", PARAMS, age=0 if newest == "b" else 60)
    assert check("--out", "all.csv").returncode == status
    winner, other = (os.path.join("runs", name, "metrics.json") for name in sorted("ab", key=newest.__ne__))
    source = rows_of(tmp_path / "all.csv")["1", "EtinyNet-1.0", "params"]["from"]
    assert source == f"{winner}, newer than {other}"


@pytest.mark.parametrize("measurement, message", [
    (dict(PARAMS, quantity="parms"), "1 / EtinyNet-1.0 / parms, which is not in paper.csv"),
    (dict(PARAMS, table=1), "not in paper.csv"),
    (dict(PARAMS, value="976"), "both must be numbers or both text"),
    (dict(PARAMS, value=None), "must be a number or text"),
    (dict(PARAMS, value=True), "must be a number or text"),
    (dict(PARAMS, comparable="no"), "comparable true or false"),
    (dict(PARAMS, differs=True), "differs must be text"),
    ({"table": "6", "row": "EtinyNet-0.75 (4-bit)", "quantity": "power_w", "value": 0.62}, "only cited"),
    ({"table": "1", "row": "EtinyNet-1.0"}, "damaged"),
    (dict(PARAMS, row=["EtinyNet-1.0"]), "damaged"),
    ("params", "damaged"),
])
def test_check_names_the_file_of_a_wrong_measurement(check, measured, tmp_path, measurement, message):
    measured("table1", measurement)
    done = check("--out", "all.csv")
    assert done.returncode == 2
    assert message in done.stderr
    assert os.path.join("runs", "table1", "metrics.json") in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "all.csv").exists()


def test_the_same_number_twice_in_one_file_is_refused(check, measured):
    measured("table1", PARAMS, PARAMS)
    done = check()
    assert done.returncode == 2
    assert "the same number twice" in done.stderr


@pytest.mark.parametrize("content", [b'{"measurements": [', b"", b"\xff\xfe\x00", b"[1, 2]", b"null",
                                     b'{"measurements": 3}', b'{"measurements": {"params": 976}}'])
def test_check_names_a_damaged_file(check, measured, content):
    measured("table1").write_bytes(content)
    done = check()
    assert done.returncode == 2
    assert os.path.join("runs", "table1", "metrics.json") + " is damaged" in done.stderr


def test_check_without_runs_says_what_to_run(check):
    done = check(runs="elsewhere")
    assert done.returncode == 2
    assert "no folder elsewhere; run a recipe first" in done.stderr

"""The report's verdicts and sources, and what it says of what was not run. Its looks: test_pages.py."""

import re

import cv2
import numpy as np
import pytest
from running import assert_one_line, run

from gluon_etinynet.files import write_json
from gluon_etinynet.report import measured
from gluon_etinynet.report.page import emit, evidence_of, rows_of
from gluon_etinynet.report.svg import Axes, bars

PARAMS = {"table": "1", "row": "EtinyNet-1.0", "quantity": "params"}


def row_of(runs, table, name, words):
    evidence, found = evidence_of(runs)
    return next(row for key, row in zip(evidence.papers, rows_of(evidence, found))
                if key[0] == table and (row.name, row.quantity) == (name, words))


@pytest.mark.parametrize("measurement, verdict, remark", [
    ({"value": 976.4}, "agrees", ""), ({"value": 900}, "differs", ""),
    ({"value": 900, "differs": "one layer less"}, "differs", "one layer less"),
    ({"value": 900, "comparable": False, "note": "of another network"}, "other conditions", "of another network")])
def test_runs_come_before_what_is_recorded(tmp_path, measurement, verdict, remark):
    assert row_of(tmp_path, "1", "EtinyNet-1.0", "parameters").measured == "976.36"
    write_json(tmp_path / "table1" / "metrics.json", {"measurements": [{**PARAMS, **measurement}]})
    row = row_of(tmp_path, "1", "EtinyNet-1.0", "parameters")
    assert (float(row.measured), row.verdict, row.remark) == (measurement["value"], verdict, remark)


def test_accuracies_on_other_pictures_are_not_judged(tmp_path):
    assert row_of(tmp_path, "2", "EtinyNet-1.0", "top-1").verdict == "other conditions"
    assert row_of(tmp_path, "6", "EtinyNet-0.75 (4-bit)", "time").verdict == "other conditions"  # the clock is assumed


def test_why_a_count_differs_is_told(tmp_path):
    row = row_of(tmp_path, "5", "EtinyNet-SSD", "MAdds")
    assert row.verdict == "differs" and row.remark.startswith("anchors for small people")


def test_what_was_not_run_is_listed_with_its_command(tmp_path):
    page = emit(*evidence_of(tmp_path / "nothing"))
    missing = page[page.index('<section id="missing">'):]
    for command, what in (("recipes/fig3.sh", "Figure 3: what DoReFa"), ("recipes/table5.sh", "EtinyNet-SSD: map")):
        assert re.search(rf"<dt><code>bash {command}</code></dt><dd>[^<]*{what}", missing)
    assert 'id="figure3"' not in page and 'id="figure1"' in page


def test_every_measurement_is_on_the_page(tmp_path):
    page = emit(*evidence_of(tmp_path))
    assert len(page) < 3e6 and "://" not in page
    assert not [row for row in measured.load() if f">{row['value']}<" not in page]


def test_a_damaged_file_is_one_line(tmp_path):
    (tmp_path / "metrics.json").write_text("{")
    assert_one_line(run("tools/report.py", "--runs", tmp_path, "--out", tmp_path / "report.html"), "metrics.json")
    assert not (tmp_path / "report.html").exists()


def test_photographs_that_no_network_looks_at_are_one_line(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((20, 20, 3), np.uint8))
    done = run("tools/report.py", "--runs", tmp_path, "--photographs", tmp_path, "--out", tmp_path / "report.html")
    assert_one_line(done, "has no integer network that could look at")
    assert not (tmp_path / "report.html").exists()


def test_bars_are_as_long_as_their_numbers():
    drawn = bars("Two", [("a", [10, 20]), ("b", [60, 0])], ["x", "y"], limits=[("all", 120)])
    widths = [float(width) for width in re.findall(r'width="([\d.]+)" height="17', drawn)]
    assert widths[1] / widths[0] == pytest.approx(2, rel=0.01) and widths[2] / widths[0] == pytest.approx(6, rel=0.01)
    x = float(re.search(r'<line x1="([\d.]+)"[^>]*class="limit"', drawn)[1])
    assert x - 128 == pytest.approx(12 * widths[0], rel=0.01)


def test_axes_place_numbers():
    axes = Axes((1, 100), (0, 10), (0, 0, 200, 50), logarithmic=True)
    assert axes.x(10) == pytest.approx(100) and (axes.y(0), axes.y(10)) == (50, 0)

"""benchmarks/kill.py and surroundings.py: planted faults are reported, sound jobs are not."""

import json
import sys
from unittest import mock

import numpy as np
import pytest
from running import load

kill, surroundings = load("benchmarks/kill.py"), load("benchmarks/surroundings.py")

# Jobs get the folder of the run. Each is killed in its sleep, and then run again.
BEGIN = "import json, os, sys, time\nfrom pathlib import Path\nout = Path(sys.argv[1]) / 'out'\n"
SOUND = BEGIN + ("out.mkdir(exist_ok=True)\ntime.sleep(0.8)\n(out / 'b').write_text('{\"a\": 1}')\n"
                 "os.replace(out / 'b', out / 'a.json')")
IN_PLACE = BEGIN + ("out.mkdir(exist_ok=True)\n(out / 'a.json').write_text('{')\ntime.sleep(0.8)\n"
                    "(out / 'a.json').write_text('{\"a\": 1}')")
GOES_ON_WRONGLY = BEGIN + ("was = out.exists()\nout.mkdir(exist_ok=True)\ntime.sleep(0.8)\n"
                           "(out / 'a.json').write_text(json.dumps(was))")
FAILS_AFTERWARDS = BEGIN + "out.mkdir()\ntime.sleep(0.8)\n(out / 'a.json').write_text('1')"


def planted(tmp_path, text, module=kill):
    """Make the script `text` the job "planted", which counts a.json."""
    (tmp_path / "job.py").write_text(text)
    return mock.patch.dict(module.JOBS, planted=([str(tmp_path / "job.py"), "{}"], ["out/a.json"]))


@pytest.mark.parametrize("text, faults", [(SOUND, [0, 0, 0]), (IN_PLACE, [2, 0, 0]), (FAILS_AFTERWARDS, [0, 2, 0]),
                                          (GOES_ON_WRONGLY, [0, 0, 2])])
def test_what_a_kill_leaves_is_counted(tmp_path, text, faults):
    with planted(tmp_path, text):
        # This seed's moments, 0.65 and 0.62 of a run's time, lie within the sleep whatever the start takes.
        assert kill.killed("planted", tmp_path, 2, np.random.RandomState(49)) == ["planted", 2, 2, *faults]


def main(module, tmp_path, *arguments):
    """The exit status, and the table as JSON."""
    argv = ["x.py", "--jobs", "planted", "--save-dir", str(tmp_path / "saved"), *arguments]
    with mock.patch.object(sys, "argv", argv):
        status = module.main()
    (written,) = (tmp_path / "saved").glob("*.json")
    return status, json.loads(written.read_text())


@pytest.mark.parametrize("text, status", [(SOUND, 0), (GOES_ON_WRONGLY, 1)])
def test_the_status_of_kill_tells_of_a_fault(tmp_path, text, status):
    with planted(tmp_path, text):
        found, rows = main(kill, tmp_path, "--times", "1")
    assert found == status and rows[0]["results that differ"] == status


def test_an_undisturbed_run_that_writes_nothing_is_no_result(tmp_path):
    with planted(tmp_path, ""), pytest.raises(kill.InputError, match="has not written out/a.json"):
        kill.undisturbed("planted", tmp_path)


# Without a limit on files they write the same 20,000 bytes.
CONTENT = "json.dumps('x' * 20000)"
CHECKED = BEGIN + ("from gluon_etinynet import cli\nfrom gluon_etinynet.files import write_text\n"
                   f"cli.run(lambda: write_text(out / 'a.json', {CONTENT}))")
SILENT = BEGIN + (f"out.mkdir(exist_ok=True)\ntry:\n    (out / 'b').write_text({CONTENT})\nexcept OSError:\n    pass\n"
                  "os.replace(out / 'b', out / 'a.json')")
TRACEBACK = BEGIN + (f"out.mkdir(exist_ok=True)\n(out / 'b').write_text({CONTENT})\n"
                     "os.replace(out / 'b', out / 'a.json')")


@pytest.mark.parametrize("text, status, word", [(CHECKED, 0, "refused: cannot write DIR/out/a.json: File too large"),
                                                (SILENT, 1, "WRONG: half written"), (TRACEBACK, 1, "WRONG: status 1")])
def test_a_job_is_to_say_what_is_in_its_way(tmp_path, text, status, word):
    with planted(tmp_path, text, surroundings):
        found, rows = main(surroundings, tmp_path, "--only", "files end at 90% of the largest", "HOME not set")
    assert found == status and rows[0]["with it"].startswith(word)
    assert rows[1]["with it"] == rows[1]["without it"] == rows[0]["without it"] == "the same bytes"


@pytest.mark.parametrize("said, same, expected", [
    ([(0, "")], True, "the same bytes"), ([(0, "")], False, "WRONG: other bytes"),
    ([(2, "t: error: cannot write {}/a: x; y\n")], False, "refused: cannot write DIR/a: x; y"),
    ([(0, ""), (2, "t: error: {}: x; y\n")], True, "the same bytes; one refused: DIR: x; y"),
    ([(0, ""), (2, "t: error: {}: x; y\n")], False, "WRONG: other bytes"),
    ([(2, "t: error: cannot write a file: x; y\n")], True, "WRONG: status 2, 1 lines"),
    ([(2, "warning\nt: error: {}: x; y\n")], True, "WRONG: status 2, 2 lines"),
    ([(2, "t: error: {}: no remedy\n")], True, "WRONG: status 2"), ([(1, "{}; : error: \n")], True, "WRONG: status 1"),
    ([(-11, "")], True, "WRONG: status -11")])
def test_how_a_command_may_end(tmp_path, said, same, expected):
    said = [(status, text.replace("{}", str(tmp_path))) for status, text in said]
    assert surroundings.verdict(said, tmp_path, lambda: same).startswith(expected)


@pytest.mark.parametrize("name", [".partial-x", "a.json"])
def test_what_is_half_written_is_wrong_with_any_status(tmp_path, name):
    (tmp_path / name).write_text("{")
    assert surroundings.verdict([(0, "")], tmp_path, lambda: True).startswith("WRONG: half written")


def test_what_cannot_be_set_up_is_told(tmp_path):
    def set_up(*arguments):
        raise surroundings.Skipped("for want of a reason")

    with planted(tmp_path, SOUND, surroundings):
        assert surroundings.tried("planted", set_up, tmp_path, {}) == ["skipped: for want of a reason", "skipped"]

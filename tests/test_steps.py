"""A chain of commands that makes one folder: what is finished stays, an interruption is mended, settings bind."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from running import ROOT

from gluon_etinynet.files import InputError, sha256
from gluon_etinynet.steps import Step, run_steps

APPEND = """
import sys, pathlib
text, out, log = sys.argv[1:4]
pathlib.Path(log).open("a").write(text)
for path in sys.argv[4:]:
    text += pathlib.Path(path).read_text()
pathlib.Path(out).parent.mkdir(parents=True, exist_ok=True)
pathlib.Path(out).write_text(text)
"""


@pytest.fixture
def chain(tmp_path):
    """Three steps a, b, c, each of which appends its name to `log` and to what the step before it left."""
    script, out, log = tmp_path / "append.py", tmp_path / "out", tmp_path / "log"
    script.write_text(APPEND)
    log.write_text("")
    files = [out / "work" / name / "file" for name in "abc"]

    def steps():
        for name, file, before in zip("abc", files, [[], files[:1], files[1:2]]):
            yield Step(name, [script, name, file, log, *before], [file])

    return out, steps, log, files


def test_finished_steps_are_not_repeated(chain, capsys):
    out, steps, log, files = chain
    run_steps(out, steps(), {"bits": 8})
    assert files[2].read_text() == "cba"
    run_steps(out, steps(), {"bits": 8})
    assert log.read_text() == "abc"
    assert capsys.readouterr().out.count("finished already") == 3
    record = json.loads((out / "work" / "steps.json").read_text())
    assert record == {"settings": {"bits": 8}, "finished": {name: {f"work/{name}/file": sha256(file)}
                                                            for name, file in zip("abc", files)}}


@pytest.mark.parametrize("number, again", [(0, "abc"), (1, "bc"), (2, "c")])
@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_a_step_whose_file_is_gone_or_changed_is_done_again_and_all_after_it(chain, number, again, damage):
    out, steps, log, files = chain
    run_steps(out, steps(), {})
    if damage == "gone":
        files[number].unlink()
    else:
        files[number].write_text("another")
    run_steps(out, steps(), {})
    assert log.read_text() == "abc" + again and files[2].read_text() == "cba"


def test_a_failed_step_ends_with_its_status_and_the_next_run_goes_on(chain, tmp_path):
    out, steps, log, files = chain
    broken = list(steps())
    (tmp_path / "fails.py").write_text("raise SystemExit(7)")
    (tmp_path / "killed.py").write_text("import os; os.kill(os.getpid(), 9)")
    for script, status in (("fails.py", 7), ("killed.py", 137)):
        broken[1] = Step("b", [tmp_path / script], files[1:2])
        with pytest.raises(SystemExit) as ended:
            run_steps(out, broken, {})
        assert ended.value.code == status
    assert log.read_text() == "a"
    run_steps(out, steps(), {})
    assert log.read_text() == "abc"


def test_a_step_that_leaves_nothing_is_named(chain, tmp_path):
    out, steps, log, files = chain
    (tmp_path / "idle.py").write_text("")
    with pytest.raises(InputError, match="idle.py left no .*file; remove"):
        run_steps(out, [Step("a", [tmp_path / "idle.py"], files[:1])], {})


def test_other_settings_are_refused_and_change_nothing(chain):
    out, steps, log, files = chain
    run_steps(out, steps(), {"bits": 8, "size": 224})
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=r"other settings: bits was 8, now it is 4"):
        run_steps(out, steps(), {"bits": 4, "size": 224})
    assert before == {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_settings_that_led_to_nothing_bind_nobody(chain, tmp_path):
    out, steps, log, files = chain
    (tmp_path / "fails.py").write_text("raise SystemExit(2)")
    with pytest.raises(SystemExit):
        run_steps(out, [Step("a", [tmp_path / "fails.py"], files[:1])], {"bits": 4})
    assert not out.exists()
    run_steps(out, steps(), {"bits": 8})
    assert log.read_text() == "abc"


def test_another_folder_a_file_and_a_damaged_record_are_refused(chain, tmp_path):
    out, steps, log, files = chain
    out.mkdir()
    (out / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="holds other files"):
        run_steps(out, steps(), {})
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "within"):
        with pytest.raises(InputError, match="file"):
            run_steps(path, steps(), {})
    (out / "work").mkdir()
    (out / "work" / "steps.json").write_text('{"settings": ')
    with pytest.raises(InputError, match="steps.json is damaged"):
        run_steps(out, steps(), {})
    assert log.read_text() == ""


def test_an_interruption_while_the_record_was_first_written_is_mended(chain):
    out, steps, log, files = chain
    (out / "work" / ".partial-abc").mkdir(parents=True)
    (out / "work" / ".partial-abc" / "steps.json").write_text("{")
    run_steps(out, steps(), {})
    assert log.read_text() == "abc"


INTERRUPTED = """
import signal, sys
from pathlib import Path
from gluon_etinynet import cli, steps as module
from gluon_etinynet.steps import Step, run_steps
signal.signal(signal.SIGINT, signal.default_int_handler)  # where the tests run in the background, it is ignored
module.PATIENCE = 1
out = Path(sys.argv[1])
steps = [Step(name, [sys.argv[2], out / name, sys.argv[3]], [out / name]) for name in "ab"]
cli.run(lambda: run_steps(out, steps, {}))
"""
SLOW = """
import pathlib, signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN if sys.argv[2] == "deaf" else signal.default_int_handler)
try:
    if sys.argv[1].endswith("b"):
        print("waiting", flush=True)
        time.sleep(600 if sys.argv[2] in ("slow", "deaf") else 0)
except KeyboardInterrupt:
    print("ended by itself", flush=True)
    raise SystemExit(130)
pathlib.Path(sys.argv[1]).write_text("whole")
"""


@pytest.mark.parametrize("whole_group, number, pace", [
    (True, signal.SIGINT, "slow"), (False, signal.SIGINT, "slow"), (False, signal.SIGTERM, "slow"),
    (False, signal.SIGTERM, "deaf")])  # a shell's background jobs do not hear SIGINT
def test_an_interrupted_command_ends_with_its_step_and_goes_on(tmp_path, whole_group, number, pace):
    """Ctrl-C reaches step and chain; a signal to the chain alone is passed on. Nobody is left behind."""
    for name, text in (("chain.py", INTERRUPTED), ("slow.py", SLOW)):
        (tmp_path / name).write_text(text)

    def start(pace):
        return subprocess.Popen(
            [sys.executable, tmp_path / "chain.py", tmp_path / "out", tmp_path / "slow.py", pace],
            env=dict(os.environ, PYTHONPATH=str(ROOT)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True)

    process = start(pace)
    for line in process.stdout:
        if line == "waiting\n":
            break
    time.sleep(0.2)
    (os.killpg if whole_group else os.kill)(process.pid, number)
    said, _ = process.communicate(timeout=60)
    assert ("ended by itself" in said) == (pace == "slow") and process.returncode == 130 and "Traceback" not in said
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert (tmp_path / "out" / "a").exists() and not (tmp_path / "out" / "b").exists()
    process = start("fast")
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "a: finished already" in said and (tmp_path / "out" / "b").exists()

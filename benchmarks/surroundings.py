"""The jobs of kill.py where something is in their way: each ends as always, or says in one line what is in its way.

    python benchmarks/surroundings.py [--jobs training quantising export record] [--only NAME] [--save-dir DIR]

In the way are: a disk that fills up (a file system in memory, for which Linux wants root; a limit on the size of files
does without), a limit on open files, folders that are read-only or another user's, no home, a second writer of the same
folder at the same time, and files dated in the future, as after a clock was set back. The disturbed command either
ends with the bytes of the undisturbed run, or with exit status 2 and one line that names what is in the way and a
remedy; nothing is half written. With the obstacle removed the same command ends with the same bytes. What this system
or this user cannot set up is listed as skipped, with the reason. Exit status 1 if something is wrong.
"""

import argparse
import contextlib
import functools
import os
import shutil
import subprocess
import tempfile
import time
from collections import namedtuple
from pathlib import Path

from kill import JOBS, contents, half_written, kill, prepare, start, surrounding, undisturbed

from gluon_etinynet import InputError, cli
from gluon_etinynet.files import PARTIAL, write_csv, write_json

FUTURE = 4_000_000_000  # seconds since 1970: in the year 2096
STRANGER = 65534  # user and group of files that are another's
TRIALS_A_WAIT, LONGEST = 0.02, 600  # seconds
HEADER = ["job", "in the way", "with it", "without it"]

Obstacle = namedtuple("Obstacle", "before environment remove writers", defaults=((), {}, lambda: None, 1))
Obstacle.__doc__ = """What is in the way of a command.

before : words before it; environment : changes; remove : a function that clears the way; writers : commands at once.
"""


class Skipped(Exception):
    """This cannot be set up here; the message says why."""


# Each obstacle is set up by a function of the folder of the run, the job, the sizes in bytes of the files that the
# undisturbed run writes, and an ExitStack for what is to be done when the trial is over.

def full_disk(folder, job, sizes, after, part):
    room = max(1, int(part * sum(sizes)) // 4096) * 4096
    mounted(folder, room, after)
    return Obstacle(remove=lambda: remount(folder, "size=1g"))


def read_only_file_system(folder, job, sizes, after):
    mounted(folder, 1 << 30, after)
    remount(folder, "ro")
    return Obstacle(remove=lambda: remount(folder, "rw"))


def mounted(folder, size, after):
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], stderr=subprocess.PIPE,
                          text=True)
    if done.returncode:
        raise Skipped(f"a file system in memory cannot be mounted here ({done.stderr.strip().splitlines()[0]})")
    after.callback(subprocess.run, ["umount", str(folder)], check=True)


def remount(folder, option):
    subprocess.run(["mount", "-o", f"remount,{option}", str(folder)], check=True)


def limit_on_files(folder, job, sizes, after, part):
    return Obstacle(["prlimit", f"--fsize={int(part * max(sizes))}"])


def limit_on_open_files(folder, job, sizes, after, count):
    before = ["prlimit", f"--nofile={count}"]
    words, _ = JOBS[job]
    process = start([words[0], "--help"], folder, before, stderr=subprocess.PIPE)
    if process.communicate() and process.returncode:
        raise Skipped(f"with {count} open files Python does not get as far as {words[0]} --help")
    return Obstacle(before)


def read_only_folder(folder, job, sizes, after):
    folder.chmod(0o555)
    return Obstacle(unprivileged(), remove=lambda: folder.chmod(0o755))


def folder_of_another(folder, job, sizes, after):
    (folder / "out").mkdir()
    given_to(STRANGER, folder / "out")
    return Obstacle(unprivileged(), remove=lambda: given_to(os.geteuid(), folder / "out"))


def result_of_another(folder, job, sizes, after):
    shutil.copytree(folder.parent / f"{job}-whole" / "out", folder / "out")
    given_to(STRANGER, folder / "out")
    return Obstacle(unprivileged(), remove=lambda: given_to(os.geteuid(), folder / "out"))


def unprivileged():
    """Words before a command that take root's right to write everywhere."""
    return ["setpriv", "--bounding-set=-all"] if os.geteuid() == 0 else []


def given_to(user, folder):
    if os.geteuid() != 0:
        raise Skipped("only root can give files to another user")
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, user, user)


def no_home(folder, job, sizes, after):
    return Obstacle(environment={"HOME": None})


def missing_home(folder, job, sizes, after):
    return Obstacle(environment={"HOME": str(folder / "missing")})


def nameless_user(folder, job, sizes, after):
    before = ["unshare", "--user", "--map-user=4242", "--map-group=4242"]
    if subprocess.run([*before, "true"], stderr=subprocess.DEVNULL).returncode:
        raise Skipped("this system has no namespaces of users for us")
    return Obstacle(before, {"HOME": None})


def second_writer(folder, job, sizes, after):
    return Obstacle(writers=2)


def dated_in_the_future(folder, job, sizes, after):
    """The inputs, and what is there of a run that was killed when it had begun to write."""
    words, _ = JOBS[job]
    process = start(words, folder)
    began = time.monotonic()
    while process.poll() is None and not any((folder / "out").glob("*")):
        if time.monotonic() - began > LONGEST:
            raise InputError(f"{job} has written nothing in {LONGEST} s")
        time.sleep(TRIALS_A_WAIT)
    kill(process)
    dated(folder.parent, FUTURE)
    return Obstacle(remove=lambda: dated(folder.parent, time.time()))


def dated(folder, seconds):
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (seconds, seconds))


OBSTACLES = {
    **{f"disk full after {part:.0%} of the result": functools.partial(full_disk, part=part)
       for part in (0.02, 0.5, 0.95)},
    **{f"files end at {part:.0%} of the largest": functools.partial(limit_on_files, part=part) for part in (0.01, 0.9)},
    **{f"{count} open files": functools.partial(limit_on_open_files, count=count) for count in (6, 8, 12, 20)},
    "read-only folder": read_only_folder,
    "read-only file system": read_only_file_system,
    "folder of another user": folder_of_another,
    "result of another user": result_of_another,
    "HOME not set": no_home,
    "HOME is missing": missing_home,
    "user without a name or home": nameless_user,
    "two writers at once": second_writer,
    "files dated in the future": dated_in_the_future,
}


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS), help="default: all")
    parser.add_argument("--only", nargs="+", choices=OBSTACLES, default=list(OBSTACLES), metavar="NAME",
                        help="of the table's second column (default: all)")
    parser.add_argument("--save-dir", type=Path, default=Path("runs/surroundings"), help="default: %(default)s")
    return parser.parse_args()


def main():
    args = parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="etinynet-surroundings-") as work:
        prepare(Path(work))
        for job in args.jobs:
            expected = undisturbed(job, Path(work))
            for name in args.only:
                rows.append([job, name, *tried(job, OBSTACLES[name], Path(work), expected)])
                print(": ".join(rows[-1]), flush=True)
    print(cli.table(HEADER, rows))
    write_csv(args.save_dir / "surroundings.csv", HEADER, rows)
    write_json(args.save_dir / "surroundings.json", [dict(zip(HEADER, row)) for row in rows])
    return int(any("WRONG" in cell for row in rows for cell in row))


def tried(job, set_up, work, expected):
    """How a job ends with an obstacle in its way and when it is removed: the last two cells of a row."""
    words, names = JOBS[job]
    sizes = [path.stat().st_size for path in (work / f"{job}-whole").rglob("*") if path.is_file()]
    with contextlib.ExitStack() as after:
        folder = Path(after.enter_context(tempfile.TemporaryDirectory(prefix=f"{job}-", dir=work)))
        folder.chmod(0o755)
        try:
            obstacle = set_up(folder, job, sizes, after)
        except Skipped as reason:
            return [f"skipped: {reason}", "skipped"]
        said = run(words, folder, obstacle)
        with_it = verdict(said, folder, lambda: contents(folder, names) == expected)
        obstacle.remove()
        without_it = verdict(run(words, folder, Obstacle()), folder, lambda: contents(folder, names) == expected)
    return [with_it, without_it if without_it == SAME else f"WRONG: {without_it}"]


def run(words, folder, obstacle):
    """Run a command, or several at once; return status and standard error of each."""
    environment = surrounding(**obstacle.environment)
    processes = [start(words, folder, obstacle.before, environment, subprocess.PIPE) for _ in range(obstacle.writers)]
    said = [process.communicate()[1] for process in processes]
    return [(process.returncode, text) for process, text in zip(processes, said)]


SAME = "the same bytes"


def verdict(said, folder, is_same):
    """What is to be said of commands that ended with these (status, standard error), and of what they left."""
    left = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.name.startswith(PARTIAL)]
    if left or half_written(folder):
        return f"WRONG: half written: {', '.join(left) or 'see above'}"
    if any(status == 0 for status, _ in said) and not is_same():
        return "WRONG: other bytes, and status 0"
    refusals = [(status, text) for status, text in said if status]
    for status, text in refusals:
        lines = text.strip().splitlines() or ["nothing"]
        named = str(folder) in text or "open files" in text
        if status != 2 or len(lines) != 1 or ": error: " not in text or ";" not in text or not named:
            return f"WRONG: status {status}, {len(lines)} lines, the last {lines[-1]}"
    told = "; one refused: " if len(refusals) < len(said) else "refused: "
    shown = [text.strip().partition(": error: ")[2].replace(str(folder), "DIR") for _, text in refusals]
    return "".join([SAME] * (len(refusals) < len(said)) + [told + line for line in shown[:1]])


if __name__ == "__main__":
    cli.run(main)

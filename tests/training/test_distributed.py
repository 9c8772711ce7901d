"""MXNet's parameter server over loopback: equality with one process, and what happens when a process dies."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gluon_etinynet._mxnet import mx
from gluon_etinynet.files import InputError
from gluon_etinynet.networks.params_file import read_params
from gluon_etinynet.training.distributed import DistributedWorkers, Workers

ROOT = Path(__file__).resolve().parents[2]
WORKER = [sys.executable, str(Path(__file__).with_name("distributed_worker.py"))]
LAUNCH = [sys.executable, str(ROOT / "tools" / "launch.py"), "--num-workers", "2", "--num-servers", "2"]
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("DMLC_")}
ENVIRONMENT.update(PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1", PYTHONUNBUFFERED="1")


class Store:
    """A store of two workers, of which the other has pushed `values`."""

    rank, num_workers = 1, 2

    def __init__(self, values):
        self.values = mx.nd.array([values, [0, 0, 0]])

    def init(self, key, value):
        pass

    def push(self, key, value):
        self.values += value

    def pull(self, key, out):
        out[:] = self.values


@pytest.mark.parametrize("epoch, batches, message", [
    (3, 5, None), (2, 5, "worker 0 would start at epoch 2, another one at 3: save_dir must be one folder"),
    (3, 6, "worker 0 has 6 batches an epoch, another one has 5")])
def test_workers_that_would_wait_for_ever_are_told(epoch, batches, message):
    workers = DistributedWorkers(Store([epoch, batches, 0]))
    assert (workers.rank, workers.count) == (1, 2)
    if message:
        with pytest.raises(InputError, match=message):
            workers.start([], 3, 5)
    else:
        workers.start([], 3, 5)


def test_a_process_alone_gathers_its_own():
    assert (Workers().rank, Workers().count) == (0, 1)
    np.testing.assert_array_equal(Workers().gather([1, 2.5, 3]), [[1, 2.5, 3]])
    np.testing.assert_array_equal(DistributedWorkers(Store([4, 5, 6])).gather([1, 2.5, 3]), [[4, 5, 6], [1, 2.5, 3]])


def run(command, **options):
    return subprocess.run(command, env=dict(ENVIRONMENT, **options), capture_output=True, text=True, timeout=120)


def assert_close(folder_a, folder_b, epoch):
    a, b = (read_params(folder / f"epoch-{epoch:04d}" / "net.params") for folder in (folder_a, folder_b))
    assert list(a) == list(b) and len(a) == 4
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=0, atol=2e-6, err_msg=name)


def members(pid):
    """Every process below `pid`, as {pid: command line}."""
    found, parents = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                pass  # it has ended meanwhile
    below = {pid}
    while True:
        more = {child for child, parent in parents.items() if parent in below} - below
        if not more:
            return {child: found[child] for child in below - {pid}}
        below |= more


def listening(pids):
    """The addresses on which these processes listen, as the kernel's hexadecimal."""
    inodes = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                inodes.update(re.findall(r"socket:\[(\d+)\]", os.readlink(link)))
            except OSError:
                pass
    tables = "".join(Path(f"/proc/net/{name}").read_text() for name in ("tcp", "tcp6"))
    rows = [line.split() for line in tables.splitlines()]
    return [row[1].split(":")[0] for row in rows if row[3] == "0A" and row[9] in inodes]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The folder of one process's training, and what it printed."""
    folder = tmp_path_factory.mktemp("alone")
    one = run(WORKER + [str(folder), "6", "device"])
    assert one.returncode == 0, one.stderr
    return folder, one.stdout


@pytest.mark.slow
def test_two_workers_equal_one_process_with_the_same_global_batch(alone, tmp_path):
    two = run(LAUNCH + ["--"] + WORKER + [str(tmp_path / "two"), "6", "dist_sync"])
    assert two.returncode == 0, two.stdout + two.stderr
    folder, printed = alone
    assert_close(folder, tmp_path / "two", 5)
    rows = [[re.search(r"accuracy=(\S+) loss=(\S+)", line).groups() for line in text.splitlines()
             if "training:" in line] for text in (printed, two.stdout)]
    assert len(rows[0]) == 6  # rank 0 alone reports, for all workers
    np.testing.assert_allclose(np.array(rows[0], float), np.array(rows[1], float), atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("victim, number", [("rank 0", signal.SIGKILL), ("server", signal.SIGKILL),
                                            ("rank 1", signal.SIGSTOP)])
def test_a_killed_or_stopped_process_ends_the_job_and_it_resumes(request, tmp_path, victim, number):
    worker = WORKER + [str(tmp_path / "two"), "6", "dist_sync"]
    patience = ["--patience", "10"] if number == signal.SIGSTOP else []  # a loaded machine is silent for long
    job = subprocess.Popen(LAUNCH + ["--grace", "3", *patience, "--"] + worker + ["--slow"], env=ENVIRONMENT,
                           text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lines = []
    while not (lines and lines[-1].startswith("[Epoch 1] speed")):
        lines.append(job.stdout.readline())
        assert lines[-1], job.stderr.read()
    announced = re.findall(r"^(rank \d) of 2, process (\d+)$", "".join(lines), re.M)
    pids = {rank: int(pid) for rank, pid in announced}
    everyone = members(job.pid)
    pids["server"] = next(pid for pid, line in everyone.items() if " -c " in line and b"DMLC_ROLE=server" in
                          Path(f"/proc/{pid}/environ").read_bytes())
    assert len(everyone) == 5
    assert set(listening(everyone)) == {"0100007F"}, "it listens beyond 127.0.0.1"

    killed = time.monotonic()
    os.kill(pids[victim], number)
    _, errors = job.communicate(timeout=60)
    assert time.monotonic() - killed < (15 if number == signal.SIGKILL else 30)
    assert job.returncode == 1
    how = "was killed by SIGKILL" if number == signal.SIGKILL else "has given no sign of life for 10 s"
    who = rf"worker \d \({victim}\)" if victim.startswith("rank") else r"server \d"
    message = rf"^launch.py: {who} on localhost {how}; ended the other 4 .* --resume "
    assert re.search(message, errors, re.M)
    for pid in everyone:
        assert not Path(f"/proc/{pid}").exists()

    if (victim, number) == ("rank 0", signal.SIGKILL):  # the one that writes the checkpoints
        again = run(LAUNCH + ["--"] + worker + ["--resume"])
        assert again.returncode == 0, again.stdout + again.stderr
        assert_close(request.getfixturevalue("alone")[0], tmp_path / "two", 5)


@pytest.mark.slow
def test_a_workers_mistake_ends_the_job_with_its_message(tmp_path):
    (tmp_path / "file").write_text("")
    job = run(LAUNCH + ["--grace", "3", "--"] + WORKER + [str(tmp_path / "file" / "runs"), "6", "dist_sync"])
    assert job.returncode == 2
    assert "rank 0: error: cannot write" in job.stderr
    assert "ended with status 2; ended the other" in job.stderr
    assert "Traceback" not in job.stderr


@pytest.mark.slow
def test_hosts_are_reached_through_ssh(tmp_path):
    """A stand-in for ssh that runs the command here, without this environment: what is needed must be passed on."""
    hosts, log, ssh = tmp_path / "hosts", tmp_path / "log", tmp_path / "bin" / "ssh"
    hosts.write_text("# two of them\n127.0.0.1\n127.0.0.2 # the same machine\n")
    ssh.parent.mkdir()
    ssh.write_text(f'#!/bin/sh\nwhile [ "${{1#-}}" != "$1" ]; do [ "$1" = -o ] && shift; shift; done\n'
                   f'echo "$1" >> {log}\nexec env -i PATH=/usr/bin:/bin sh -c "$2"\n')
    ssh.chmod(0o755)
    job = run(LAUNCH + ["--hostfile", str(hosts), "--"] + WORKER + [str(tmp_path / "two"), "2", "dist_sync"],
              PATH=f"{ssh.parent}:{os.environ['PATH']}")
    assert job.returncode == 0, job.stdout + job.stderr
    assert sorted(log.read_text().split()) == ["127.0.0.1"] * 2 + ["127.0.0.2"] * 2
    assert (tmp_path / "two" / "epoch-0001" / "checkpoint.json").exists()


@pytest.mark.parametrize("content, message", [("", "names no host"), ("a b\n", "'a b' is not the name of a host"),
                                              ("-oProxyCommand=x\n", "is not the name of a host"),
                                              ("no.such.host.invalid\n", "cannot find the host no.such.host.invalid"),
                                              ("192.0.2.1\nlocalhost\n", "localhost is 127.0.0.1 here, which the")])
def test_a_bad_host_file(tmp_path, content, message):
    (tmp_path / "hosts").write_text(content)
    job = run(LAUNCH + ["--hostfile", str(tmp_path / "hosts"), "--", "true"])
    assert job.returncode == 2 and message in job.stderr and "Traceback" not in job.stderr


def test_a_command_that_is_not_there():
    job = run(LAUNCH + ["--", "no-such-command"])
    assert job.returncode == 2 and "cannot start no-such-command for worker 0" in job.stderr

"""Start a training on several processes or machines, and end all of it when one of them dies.

    python tools/launch.py --num-workers 2 --num-servers 2 [--hostfile HOSTS] -- COMMAND ...

Starts MXNet's parameter server: one scheduler (here), servers, and workers that run COMMAND with
``--kvstore dist_sync``; on this machine over its loopback, or on the hosts of a file (one a line) through
ssh, in the same folder there. MXNet itself waits for ever when one of the processes dies or is stopped; this
launcher ends the others within `--grace` seconds (and `--patience`, where one is stopped), says which one it
was, and exits with a status that is not 0.

The servers talk to whoever reaches their ports: use a network that you trust.
"""

import argparse
import ctypes
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time

from gluon_etinynet import cli
from gluon_etinynet.quantities import COUNT, PERIOD, Quantity
from gluon_etinynet.reading import InputError, read_lines

LOCAL = "localhost"
# MXNet enters the server's loop while it is imported. A server would unpickle an optimizer that it is
# sent; our workers update the weights themselves and never send one.
SERVER = """
import pickle
def loads(*_, **__):
    raise RuntimeError("this parameter server loads no pickles")
pickle.loads = loads
from gluon_etinynet.cli import beat
beat()
import gluon_etinynet._mxnet
"""
PASSED_ON = re.compile(r"(PYTHONPATH|OMP_NUM_THREADS|CUDA_VISIBLE_DEVICES|LD_LIBRARY_PATH|(MXNET|PS)_.*)$")
RANK = re.compile(r"rank (\d+) of \d+, process \d+$")
PR_SET_PDEATHSIG = 1
WHOLE_LINES = threading.Lock()  # print writes a line and its end apart: two threads would mix theirs


class Process:
    """One scheduler, server or worker, here or behind ssh, in a process group of its own."""

    def __init__(self, role, number, host, command, environment):
        self.role, self.host, self.rank, self.heard = role, host, None, None
        self.name = f"{role} {number}" if number is not None else role
        if host != LOCAL:
            passed = [f"{key}={value}" for key, value in sorted({**os.environ, **environment}.items())
                      if key in environment or PASSED_ON.match(key)]
            remote = f"cd {shlex.quote(os.getcwd())} && exec env {' '.join(map(shlex.quote, passed + command))}"
            # With a terminal (-tt), the end of this ssh hangs up what runs at the other end.
            command = ["ssh", "-tt", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=5",
                       "-o", "ServerAliveCountMax=3", host, remote]
        try:
            self.process = subprocess.Popen(command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, start_new_session=True, preexec_fn=_die_with_parent)
        except OSError as error:
            raise InputError(f"cannot start {command[0]} for {self.name}: {error.strerror}") from error
        self.reader = threading.Thread(target=self._pass_lines_on, daemon=True)
        self.reader.start()

    def _pass_lines_on(self):
        for line in self.process.stdout:
            line = line.decode("utf-8", "replace").rstrip("\r\n")
            if line == cli.BEAT:
                self.heard = time.monotonic()
                continue
            with WHOLE_LINES:
                print(line, flush=True)
            announced = RANK.match(line)
            if announced:
                self.rank = int(announced.group(1))

    def status(self):
        """None while it runs, otherwise its exit status (negative: the signal that killed it)."""
        return self.process.poll()

    def silence(self):
        """Seconds since it last said that it runs; 0 where it never has."""
        return 0 if self.heard is None else time.monotonic() - self.heard

    def signal(self, number):
        """Send a signal to its whole group, which may outlive the process itself."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def __str__(self):
        rank = "" if self.rank is None else f" (rank {self.rank})"
        return f"{self.name}{rank} on {self.host}"


def _die_with_parent():
    # A launcher that is killed itself must not leave processes that wait for ever.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def read_hosts(path):
    """The hosts of a file, one a line; `#` starts a comment."""
    hosts = [host for host in (line.split("#")[0].strip() for line in read_lines(path)) if host]
    if not hosts:
        raise InputError(f"{path} names no host; write one a line")
    for host in hosts:
        if host.startswith("-") or len(host.split()) > 1:
            raise InputError(f"{path}: {host!r} is not the name of a host; write one a line")
    return hosts


def _address(host):
    try:
        return socket.gethostbyname(host.split("@")[-1])
    except OSError as error:
        raise InputError(f"cannot find the host {host}: {error.strerror}; mend the host file") from error


def _own_address(towards):
    """The address of this machine that `towards` sees."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((towards, 9))  # sends nothing
        return probe.getsockname()[0]


def _free_port(address):
    with socket.socket() as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


def start(workers, servers, hosts, command):
    """Start everything; return the list of processes, the scheduler first."""
    addresses = {host: _address(host) for host in hosts}
    local = [host for host, address in addresses.items() if address.startswith("127.")]
    if 0 < len(local) < len(addresses):
        raise InputError(f"{local[0]} is {addresses[local[0]]} here, which the others cannot reach; name this machine "
                         "in the host file by the address that they see")
    root = _own_address(addresses[hosts[0]])
    common = {"DMLC_PS_ROOT_URI": root, "DMLC_PS_ROOT_PORT": str(_free_port(root)), "PYTHONUNBUFFERED": "1",
              "DMLC_NUM_WORKER": str(workers), "DMLC_NUM_SERVER": str(servers), cli.BEAT_WANTED: "1"}
    roles = [("scheduler", None, LOCAL, root)]
    for role, count in (("server", servers), ("worker", workers)):
        placed = [hosts[number % len(hosts)] for number in range(count)]
        roles += [(role, number, host, addresses[host]) for number, host in enumerate(placed)]
    processes = []
    try:
        for role, number, host, address in roles:
            # The address is the one they listen on as well: loopback stays loopback.
            environment = dict(common, DMLC_ROLE=role, DMLC_NODE_HOST=address)
            processes.append(Process(role, number, host, command if role == "worker" else
                                     [sys.executable, "-c", SERVER], environment))
    except BaseException:
        end(processes, 0)
        raise
    return processes


def watch(processes, patience):
    """Wait until all workers have ended well (None), or return the first process that has not, or has stopped."""
    while True:
        for process in processes:
            if process.status() or process.status() is None and process.silence() > patience:
                return process
        if all(process.status() == 0 for process in processes if process.role == "worker"):
            return None
        time.sleep(0.1)


def end(processes, grace):
    """End what still runs: politely, and after `grace` seconds for certain. Return how many it were."""
    running = [process for process in processes if process.status() is None]
    for process in running:
        process.signal(signal.SIGTERM)
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline and any(process.status() is None for process in running):
        time.sleep(0.1)
    for process in processes:
        process.signal(signal.SIGKILL)
        process.process.wait()
    for process in processes:
        process.reader.join(timeout=1)
    return len(running)


def main():
    """Parse, start, watch, end."""
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num-workers", type=COUNT, required=True, help="processes that compute gradients")
    parser.add_argument("--num-servers", type=COUNT, required=True, help="processes that add them up")
    parser.add_argument("--hostfile", help="hosts to run on, one a line (default: this machine)")
    parser.add_argument("--grace", type=PERIOD, default=10, help="seconds that processes get to end by themselves")
    parser.add_argument("--patience", type=Quantity(2 * cli.BEAT_SECONDS, 86400), default=60,
                        help="seconds without a sign of life after which a process counts as dead (default: 60)")
    parser.add_argument("command", nargs="+", help="what a worker runs, after --")
    args = parser.parse_args()
    hosts = read_hosts(args.hostfile) if args.hostfile else [LOCAL]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))

    processes = start(args.num_workers, args.num_servers, hosts, args.command)
    dead = None
    try:
        dead = watch(processes, args.patience)
        if dead is None:  # servers and scheduler end by themselves after the workers
            deadline = time.monotonic() + args.grace
            while time.monotonic() < deadline and any(process.status() is None for process in processes):
                time.sleep(0.1)
        status = dead and dead.status()
    finally:
        ended = end(processes, args.grace)
    if dead is None:
        return 0
    if status is None:
        how, ended = f"has given no sign of life for {args.patience} s", ended - 1
    else:
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    print(f"launch.py: {dead} {how}; ended the other {ended} processes. Start the same command again with --resume "
          "to go on from the last checkpoint", file=sys.stderr)
    return 2 if status == 2 else 1


if __name__ == "__main__":
    cli.run(main)

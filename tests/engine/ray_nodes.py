"""A Ray cluster of this machine for tests: a head and two nodes, each from `ray start`, with a token, ports and a folder of its own.

Only processes that were started here are ended, by their numbers.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_USAGE_STATS_ENABLED")

TOKEN = secrets.token_hex(32)
"""Of all clusters of this process, since Ray keeps the one that it read first."""


class Cluster:
    """address: host:port of the head. settings: environment of who may use it. nodes: `ray start` processes, head first.

    processors, gpus: that Ray shall believe each node to have.
    """

    def __init__(self, workers: int = 2, processors: int = 2, gpus: int = 0) -> None:
        self.processors, self.gpus = processors, gpus
        self.folder = Path(tempfile.mkdtemp(prefix="lab-ray-"))
        self.settings = dict(zip(SETTINGS, ("token", TOKEN, "0"), strict=True))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        self.nodes: list[subprocess.Popen[bytes]] = []
        port = self.address.rpartition(":")[2]
        try:
            head = ("--head", "--port", port, "--include-dashboard=false", "--temp-dir", str(self.folder / "t"))
            self.nodes.append(self._start(*head))
            self._wait(1)
            for number in range(workers):  # one after the other: at once, a node may find another's ports in the folder
                self.add_node()
                self._wait(2 + number)
        except BaseException:
            self.stop()
            raise

    def kill_head(self) -> None:
        """Kills what makes the head a head, the server of the cluster's state. The rest of its node stays, since an engine on this machine
        may have connected by it.
        """
        head = psutil.Process(self.nodes[0].pid)
        head.suspend()  # it would end its other processes
        next(child for child in head.children(recursive=True) if child.name() == "gcs_server").kill()

    def add_node(self) -> None:
        """Starts one more node."""
        self.nodes.append(self._start("--address", self.address))

    def kill_node_of(self, pid: int) -> None:
        """Kills every process of the node that a process belongs to."""
        above = {process.pid for process in psutil.Process(pid).parents()}
        node = next(node for node in self.nodes[1:] if node.pid in above)
        self.nodes.remove(node)
        _kill(node)

    def stop(self) -> None:
        """Ends what was started."""
        while self.nodes:
            _kill(self.nodes.pop())
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--node-ip-address", "127.0.0.1"]
        command += [
            "--num-cpus",
            str(self.processors),
            "--num-gpus",
            str(self.gpus),
            "--object-store-memory",
            "100000000",
            "--disable-usage-stats",
        ]
        more = {"RAY_raylet_start_wait_time_s": "120", "RAY_worker_niceness": "0"}  # a busy machine; 15 by default
        env = os.environ | self.settings | more | {"PYTHONPATH": str(ROOT)}
        with (self.folder / "nodes.log").open("ab") as log:
            return subprocess.Popen(
                [*command, *words], env=env, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )

    def _wait(self, count: int) -> None:
        """Waits until so many nodes have said that they are up."""
        end = time.monotonic() + 240
        while (log := (self.folder / "nodes.log").read_text()).count("Ray runtime started") < count:
            assert time.monotonic() < end and all(node.poll() is None for node in self.nodes), log[-2000:]
            time.sleep(0.1)


def _kill(node: subprocess.Popen[bytes]) -> None:
    family = [psutil.Process(node.pid)] if psutil.pid_exists(node.pid) else []
    for process in [*family, *(family[0].children(recursive=True) if family else [])]:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    node.wait(10)

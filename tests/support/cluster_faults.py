"""What can go wrong in a whole cluster, drawn from a seed: each fault begins, lasts a while, and is mended."""

from __future__ import annotations

import http.client
import json
import random
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubarium import Cluster, KubariumError
from kubarium.core.addresses import loopback
from kubarium.core.spec import ETCD

Mend = Callable[[], object]
_LONGEST_STEP_S = 120.0


class ControlSocket(http.client.HTTPConnection):
    """HTTP to a process's control socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def put(path: Path, what: str, value: Any) -> Any:
    """Send something to a process's control socket, and return its answer.

    Raises:
        OSError: nobody listens there.
        AssertionError: it was refused.
    """
    connection = ControlSocket(path)
    try:
        connection.request("PUT", what, json.dumps(value))
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return json.loads(body)
    finally:
        connection.close()


@dataclass(frozen=True, slots=True)
class ClusterFaults:
    """Breaks things in a cluster. Each method returns what mends it again, and may do so at any time."""

    cluster: Cluster
    rng: random.Random

    def draw(self) -> tuple[str, Mend]:
        """Begin a fault; return what it is called, with whom it concerns."""
        kinds = (
            self.kill,
            self.kill,
            self.pause,
            self.cut,
            self.step_clock,
            self.lose_power,
            self.move_etcd_leader,
        )
        try:
            return self.rng.choice(kinds)()
        except KubariumError as error:  # it has ended by itself just now
            return f"none: {error}", _nothing

    def kill(self) -> tuple[str, Mend]:
        """End a process; its supervisor starts another."""
        name = self._choose(lambda _name: True)
        self.cluster.kill(name, restart=True)
        return f"kill {name}", _nothing

    def pause(self) -> tuple[str, Mend]:
        """Stop a process as it stands."""
        name = self._choose(lambda name: not name.startswith("node-"))
        self.cluster.pause(name)
        return f"pause {name}", lambda: self._resume(name)

    def cut(self) -> tuple[str, Mend]:
        """Cut a component off from the apiservers."""
        name = self._choose(
            lambda name: (
                name.partition("@")[0].partition("-")[0] in {"kubelet", "proxy", "scheduler", "controllers"}
            )
        )
        self._tell(name, "/faults", {"rules": [{"fault": "cut", "from": name, "protocol": "resources"}]})
        return f"cut {name}", lambda: self._tell(name, "/faults", {"rules": []})

    def step_clock(self) -> tuple[str, Mend]:
        """Put a process's clock ahead, or back."""
        name = self._choose(lambda name: not name.startswith(("etcd", "node-")))
        ahead_s = round(self.rng.uniform(-_LONGEST_STEP_S, _LONGEST_STEP_S), 1)
        self._tell(name, "/clock", {"ahead_s": ahead_s})
        return f"clock of {name} {ahead_s:+} s", lambda: self._tell(name, "/clock", {"ahead_s": 0})

    def lose_power(self) -> tuple[str, Mend]:
        """End a machine, with all that runs on it."""
        name = self.rng.choice([node.name for node in self.cluster.spec.nodes])
        self.cluster.kill(name)
        return f"power of {name}", lambda: self.cluster.restart(name)

    def move_etcd_leader(self) -> tuple[str, Mend]:
        """Have another member lead etcd; where there is one member only, or none leads, do nothing."""
        members = {
            each["ID"]: each["name"]
            for each in self._etcdctl("member", "list", "-w", "json").get("members", ())
        }
        status = self._etcdctl("endpoint", "status", "--cluster", "-w", "json") or [{}]
        leader = status[0].get("Status", {}).get("leader", 0)
        if leader not in members or len(members) == 1:
            return "none: etcd has no leader", _nothing
        successor = self.rng.choice(sorted(members.keys() - {leader}))
        done = self._run_etcdctl("move-leader", f"{successor:x}").returncode == 0
        return (
            f"etcd's leader: {members[leader]} → {members[successor]}{'' if done else ', in vain'}",
            _nothing,
        )

    def _resume(self, name: str) -> None:
        """Continue a process, unless it was ended meanwhile."""
        if any(each.name == name and each.state == "paused" for each in self.cluster.ps()):
            self.cluster.resume(name)

    def _choose(self, wanted: Callable[[str], bool]) -> str:
        return self.rng.choice(
            sorted(each.name for each in self.cluster.ps() if each.pid and wanted(each.name))
        )

    def _tell(self, name: str, what: str, value: Any) -> None:
        """Send something to a process; one that is down, or stands still, gets nothing."""
        try:
            put(self.cluster.layout.health(name), what, value)
        except OSError:
            return

    def _etcdctl(self, *arguments: str) -> Any:
        """Return what etcdctl says in JSON, or an empty object."""
        done = self._run_etcdctl(*arguments)
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def _run_etcdctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        spec, pki = self.cluster.spec, self.cluster.layout.pki
        port = self.cluster.addresses.etcd_port
        urls = [f"https://{loopback(each)}:{port}" for each in spec.instances(ETCD)]
        command = [
            "etcdctl", "--command-timeout=3s", f"--endpoints={','.join(urls)}", f"--cacert={pki / 'etcd-ca.crt'}",
            f"--cert={pki / 'apiserver-etcd-client.crt'}", f"--key={pki / 'apiserver-etcd-client.key'}",
        ]  # fmt: skip
        return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)


def _nothing() -> None:
    """Mend what mends itself."""


def mended(mend: Mend) -> bool:
    """Try to mend; return whether it is done."""
    try:
        mend()
    except KubariumError:
        return False
    return True

"""Two network namespaces that stand for two machines, with a cable between them; they share this machine's Docker engine."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PATIENCE_S = 180


@dataclass(frozen=True, slots=True)
class Host:
    """One of them."""

    space: str
    address: str
    home: Path  # of its clusters

    def run(self, *argv: str, fails: bool = False) -> str:
        """Run a command there; return what it said on standard output, or with `fails` on standard error."""
        command = ["nsenter", f"--net=/run/netns/{self.space}", *argv]  # keeps /sys, unlike ip netns exec
        environment = {**os.environ, "KUBARIUM_HOME": str(self.home)}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
        assert bool(done.returncode) == fails, f"{' '.join(argv)}: {done.stdout}\n{done.stderr}"
        return done.stderr if fails else done.stdout

    def kubarium(self, *argv: str, fails: bool = False) -> str:
        """Run `kubarium` there."""
        return self.run(sys.executable, "-m", "kubarium", *argv, fails=fails)


@contextlib.contextmanager
def two_hosts(folder: Path) -> Iterator[tuple[Host, Host]]:
    """Make them; their namespaces go at the end, their clusters have to be gone by then."""
    prefix = f"kb-host{os.getpid()}"
    hosts = [Host(f"{prefix}-{number}", f"192.168.77.{number}", folder / str(number)) for number in (1, 2)]
    try:
        for host in hosts:
            host.home.mkdir()
            _ip("netns", "add", host.space)
            _ip("-n", host.space, "link", "set", "lo", "up")
        first, second = hosts
        _ip(
            "-n",
            first.space,
            "link",
            "add",
            "lan",
            "type",
            "veth",
            "peer",
            "name",
            "lan",
            "netns",
            second.space,
        )
        for host in hosts:
            _ip("-n", host.space, "address", "add", f"{host.address}/24", "dev", "lan")
            _ip("-n", host.space, "link", "set", "lan", "up")
        yield first, second
    finally:
        for host in hosts:
            subprocess.run(["ip", "netns", "delete", host.space], check=False, capture_output=True)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)

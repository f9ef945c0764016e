"""Two compose projects of one engine that stand for two hosts."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_LINK = "kb-hosts"
_VXLAN = "4789"
_RANGES = ("10.77.200.0/24", "10.244.0.0/16")  # of nodes and pods


@dataclass(frozen=True, slots=True)
class Project:
    """A compose project of this checkout."""

    command: Sequence[str]
    name: str
    files: Sequence[str]
    settings: Mapping[str, str]

    def run(self, *arguments: str) -> str:
        """Run compose on it; return what it said on standard output."""
        files = [word for file in self.files for word in ("-f", file)]
        environment = {**os.environ, **self.settings, "COMPOSE_PROJECT_NAME": self.name}
        done = subprocess.run(
            [*self.command, *files, *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def down(self) -> None:
        """End it, with its volume."""
        self.run("down", "--volumes", "--timeout", "30")

    def tunnel_address(self) -> str:
        """Return the address of its tunnel's container on its network."""
        container = self.run("ps", "-q", "tunnel").strip()
        shown = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return _said("docker", "inspect", "--format", shown, container)

    def bridge(self) -> str:
        """Return the name of the engine's bridge for it."""
        return (
            f"br-{_said('docker', 'network', 'inspect', '--format', '{{.Id}}', f'{self.name}_backbone')[:12]}"
        )


@dataclass(frozen=True, slots=True)
class Hosts:
    """The addresses of the two."""

    first: str
    second: str

    @contextlib.contextmanager
    def as_two(self, first: Project, second: Project) -> Iterator[None]:
        """Have datagrams to the tunnels go through the kernel as from a wire, and the second's bridge know no connections of the first."""
        rules = [
            [
                "nat",
                "-d",
                host,
                "-p",
                "udp",
                "--dport",
                _VXLAN,
                "-j",
                "DNAT",
                "--to-destination",
                project.tunnel_address(),
            ]
            for host, project in ((self.first, first), (self.second, second))
        ]
        rules += [["raw", "-i", second.bridge(), "-d", range_, "-j", "CT", "--notrack"] for range_ in _RANGES]
        with contextlib.ExitStack() as undo:
            for table, *rule in rules:
                undo.enter_context(_rule(table, "PREROUTING", *rule))
            yield


@contextlib.contextmanager
def hosts_of_one_engine() -> Iterator[Hosts]:
    """Add the addresses of both to this machine; what is published for one is forwarded from the other's containers."""
    hosts = Hosts("192.168.78.1", "192.168.78.2")
    _said("ip", "link", "add", _LINK, "type", "bridge")
    try:
        for address in (hosts.first, hosts.second):
            _said("ip", "address", "add", f"{address}/32", "dev", _LINK)
        _said("ip", "link", "set", _LINK, "up")
        with _rule("filter", "DOCKER-USER", "-m", "conntrack", "--ctstate", "DNAT", "-j", "ACCEPT"):
            yield hosts
    finally:
        _said("ip", "link", "delete", _LINK)


@contextlib.contextmanager
def _rule(table: str, chain: str, *rule: str) -> Iterator[None]:
    _said("iptables", "-t", table, "-I", chain, *rule)
    try:
        yield
    finally:
        _said("iptables", "-t", table, "-D", chain, *rule)


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()

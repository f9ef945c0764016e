"""Throw-away network namespaces: a small cluster's cables, and sockets inside of it.

A socket belongs to the namespace of the thread that makes it, so a test makes sockets and runs code anywhere with
`inside(...)`, and uses them from where it is.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)
_NUMBERS = itertools.count()


def missing() -> str:
    """Say why there can be no packet filter in a namespace here, "" if there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for program in ("ip", "nft", "conntrack"):
        if not shutil.which(program):
            return f"no {program} on the PATH"
    name = f"kubarium-probe-{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True).returncode:
        return "network namespaces cannot be made here"
    try:
        probe = "table ip probe { chain c { type nat hook output priority -100; numgen random mod 2 vmap { 0 : drop }; }; }"
        done = subprocess.run(
            ["ip", "netns", "exec", name, "nft", probe], check=False, capture_output=True, text=True
        )
        return f"nft cannot write NAT rules here: {done.stderr.strip()}" if done.returncode else ""
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def inside(space: str, action: Callable[[], T]) -> T:
    """Run a function in a thread that has moved into a namespace; what it starts is there, too."""
    results: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            _enter(space)
            results.append(action())
        except BaseException as error:  # noqa: BLE001 - carried over to the caller's thread
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _enter(space: str) -> None:
    with Path("/run/netns", space).open("rb") as door:
        if _LIBC.setns(door.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {space}")


@dataclass(frozen=True)
class Lab:
    """A machine with a backbone, and two nodes on it with two pods each."""

    prefix: str

    def space(self, name: str) -> str:
        """Name a namespace: "machine", "node-1", "node-2", "pod-1a", "pod-1b", "pod-2a", "pod-2b"."""
        return f"{self.prefix}-{name}"

    def listen(self, name: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
        """Make a server's socket in a namespace, on every address."""

        def make() -> socket.socket:
            made = socket.socket(socket.AF_INET, kind)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(("0.0.0.0", port))
            return made

        return inside(self.space(name), make)

    def client(self, name: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
        """Make a client's socket in a namespace."""

        def make() -> socket.socket:
            made = socket.socket(socket.AF_INET, kind)
            made.settimeout(2)
            return made

        return inside(self.space(name), make)

    def run(self, name: str, *argv: str) -> str:
        """Run a command in a namespace."""
        command = ["ip", "netns", "exec", self.space(name), *argv]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


NODE_IPS = {"node-1": "10.77.250.11", "node-2": "10.77.250.12"}
MACHINE_IP = "10.77.250.1"
POD_CIDRS = {"node-1": "10.244.1.0/24", "node-2": "10.244.2.0/24"}
POD_IPS = {"pod-1a": "10.244.1.2", "pod-1b": "10.244.1.3", "pod-2a": "10.244.2.2", "pod-2b": "10.244.2.3"}


@contextmanager
def lab() -> Iterator[Lab]:
    """Lay the cables as the CNI bridge plugin with hairpinMode does, and take everything away at the end."""
    made = Lab(f"kubarium-lab{os.getpid()}-{next(_NUMBERS)}")
    names = ["machine", *NODE_IPS, *POD_IPS]
    try:
        for name in names:
            _ip("netns", "add", made.space(name))
            _ip("-n", made.space(name), "link", "set", "lo", "up")
        _lay(made)
        yield made
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", made.space(name)], check=False, capture_output=True)


def _lay(made: Lab) -> None:
    machine = made.space("machine")
    _bridge(machine, "backbone", f"{MACHINE_IP}/24")
    for node, address in NODE_IPS.items():
        space = made.space(node)
        _cable(machine, "backbone", space, f"{address}/24", MACHINE_IP, port=node)
        made.run(node, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        _bridge(space, "cni0", POD_CIDRS[node].replace(".0/24", ".1/24"))
    for pod, address in POD_IPS.items():
        node = f"node-{pod[4]}"
        gateway = POD_CIDRS[node].replace(".0/24", ".1")
        _cable(made.space(node), "cni0", made.space(pod), f"{address}/24", gateway, port=pod)
        _ip("-n", made.space(node), "link", "set", pod, "type", "bridge_slave", "hairpin", "on")


def _bridge(space: str, name: str, address: str) -> None:
    _ip("-n", space, "link", "add", name, "type", "bridge", "forward_delay", "0")
    _ip("-n", space, "address", "add", address, "dev", name)
    _ip("-n", space, "link", "set", name, "up")


def _cable(space: str, bridge: str, other: str, address: str, gateway: str, *, port: str) -> None:
    _ip("-n", space, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", other)
    _ip("-n", space, "link", "set", port, "master", bridge, "up")
    _ip("-n", other, "address", "add", address, "dev", "eth0")
    _ip("-n", other, "link", "set", "eth0", "up")
    _ip("-n", other, "route", "add", "default", "via", gateway)


def _ip(*arguments: Any) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)

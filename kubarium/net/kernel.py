"""Reads hosts and pods' wires out of the kernel of this machine: network namespaces are entered, nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from kubarium.core.net.listings import read_host, read_wire
from kubarium.core.net.scene import Host, PodPlace, Wire
from kubarium.errors import KubariumError
from kubarium.host.network import NAMESPACES
from machinery.process.node_network import UnreadableNetworkError, read_node_network, read_pod_network


def look_at_host(name: str, namespace: str, *, is_6: bool = False) -> Host:
    """Read a node's namespace, for one family of addresses; "" is the machine's own, whose packet filter is not ours.

    Raises:
        KubariumError: it is not there, or may not be looked at.
    """
    space = str(NAMESPACES / namespace) if namespace else ""
    try:
        found = read_node_network(space, is_6=is_6, has_rules=bool(namespace))
    except UnreadableNetworkError as error:
        raise KubariumError(str(error)) from error
    return read_host(name, found, is_6=is_6)


def look_at_wires(pods: Iterable[PodPlace], node_folder: Path, namespace: str) -> dict[str, Wire]:
    """Read how pods of one node hang on it, by their addresses: by the notes of its runtime, and its kernel.

    Raises:
        KubariumError: the node may not be looked at, or a pod has gone meanwhile.
    """
    wanted = {pod.ip for pod in pods if not pod.is_on_host}
    sandboxes = {ip: sandbox for ip, sandbox in _noted(node_folder).items() if ip in wanted}
    processes = _processes(set(sandboxes.values()))
    return {
        ip: _wire(ip, processes[sandbox], namespace)
        for ip, sandbox in sandboxes.items()
        if sandbox in processes
    }


def _wire(ip: str, process: int, namespace: str) -> Wire:
    try:
        return read_wire(ip, read_pod_network(str(NAMESPACES / namespace), process, is_6=":" in ip))
    except UnreadableNetworkError as error:
        raise KubariumError(str(error)) from error


def pod_spaces(node_folder: Path, ips: set[str]) -> dict[str, tuple[str, Path]]:
    """Return the network namespaces of pods of a node, and the resolv.conf that they see, by their addresses."""
    sandboxes = {ip: sandbox for ip, sandbox in _noted(node_folder).items() if ip in ips}
    processes = _processes(set(sandboxes.values()))
    own = {ip: processes[sandbox] for ip, sandbox in sandboxes.items() if sandbox in processes}
    inside = _beside(set(own.values()))
    return {
        ip: (f"/proc/{pid}/ns/net", Path(f"/proc/{inside[pid]}/root/etc/resolv.conf"))
        for ip, pid in own.items()
        if pid in inside
    }


def _beside(sandboxes: set[int]) -> dict[int, int]:
    """Return another process in the network of each sandbox's, as a container's of its pod, by the sandbox's process."""
    spaces = {Path(f"/proc/{pid}/ns/net").stat().st_ino: pid for pid in sandboxes}
    found: dict[int, int] = {}
    for file in Path("/proc").glob("[0-9]*/ns/net") if sandboxes else ():
        try:
            sandbox, pid = spaces.get(file.stat().st_ino), int(file.parts[2])
        except OSError:  # it has ended
            continue
        if sandbox is not None and pid not in sandboxes:
            found[sandbox] = pid
    return found


def _noted(node_folder: Path) -> dict[str, str]:
    """Return the sandboxes of a node by their addresses, as its runtime has noted them."""
    found: dict[str, str] = {}
    for note in (node_folder / "dockershim" / "network").glob("*.json"):
        try:
            addresses = json.loads(note.read_bytes()).get("addresses", ())
        except (OSError, ValueError):  # it has just gone
            continue
        found.update(dict.fromkeys(addresses, note.stem))
    return found


def _processes(sandboxes: set[str]) -> dict[str, int]:
    """Return a process of each sandbox: its container's id is in the path of its cgroup."""
    found: dict[str, int] = {}
    for file in Path("/proc").glob("[0-9]*/cgroup") if sandboxes else ():
        try:
            path = file.read_text()
        except OSError:
            continue
        for sandbox in sandboxes:
            if sandbox in path:
                found[sandbox] = int(file.parent.name)
    return found

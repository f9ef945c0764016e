"""Reads hosts and pods' wires out of the kernel: network namespaces are entered with nsenter, nothing is changed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from kubarium.core.net.host_ports import read_host_ports
from kubarium.core.net.listings import (
    find_peer,
    read_addresses,
    read_doors,
    read_down,
    read_routes,
)
from kubarium.core.net.rules import NO_TABLE, Table, read_table
from kubarium.core.net.scene import Door, Host, PodPlace, Wire
from kubarium.errors import KubariumError
from kubarium.host.network import NAMESPACES
from kubarium.search_path import environment

_TABLE: Final = "kubarium-proxy"
_TIMEOUT_S: Final = 30.0
_SOCKETS: Final = {
    "tcp": ("tcp", "tcp6"),
    "udp": ("udp", "udp6"),
}  # of /proc/net; the last ones may not be there
_BRIDGED: Final = "net.bridge.bridge-nf-call-ip{}tables"


def read_host(name: str, namespace: str, *, is_6: bool = False) -> Host:
    """Read a node's namespace, for one family of addresses; "" is the machine's own, whose packet filter is not ours.

    Raises:
        KubariumError: it is not there, or may not be looked at.
    """
    space = str(NAMESPACES / namespace) if namespace else ""
    flag, family, default = ("-6", "inet6", "::/0") if is_6 else ("-4", "inet", "0.0.0.0/0")
    return Host(
        name,
        read_addresses(_json(space, "ip", "-j", flag, "address"), family),
        read_routes(_json(space, "ip", "-j", flag, "route"), default),
        _table(space, is_6=is_6) if namespace else NO_TABLE,
        read_down(_json(space, "ip", "-j", "link")),
        _doors(space, is_6=is_6),
        _host_ports(space, is_6=is_6) if namespace else NO_TABLE,
        _run(space, "sysctl", "-n", _BRIDGED.format("6" if is_6 else "")).strip() == "1",
    )


def read_wires(pods: Iterable[PodPlace], node_folder: Path, namespace: str) -> dict[str, Wire]:
    """Read how pods of one node hang on it, by their addresses: by the notes of its runtime, and its kernel.

    Raises:
        KubariumError: the node may not be looked at, or a pod has gone meanwhile.
    """
    wanted = {pod.ip for pod in pods if not pod.is_on_host}
    sandboxes = {ip: sandbox for ip, sandbox in _noted(node_folder).items() if ip in wanted}
    links = _json(str(NAMESPACES / namespace), "ip", "-j", "link") if sandboxes else []
    processes = _processes(set(sandboxes.values()))
    return {
        ip: _wire(ip, processes[sandbox], links) for ip, sandbox in sandboxes.items() if sandbox in processes
    }


def _wire(ip: str, pid: int, links: list[Any]) -> Wire:
    space, is_6 = f"/proc/{pid}/ns/net", ":" in ip
    own = _json(space, "ip", "-j", "address")
    for link in own:
        if ip in read_addresses([link], "inet6" if is_6 else "inet"):
            veth, bridge = find_peer(links, int(link.get("link_index", 0)))
            return Wire(bridge, veth, str(link["ifname"]), _doors(space, is_6=is_6))
    return Wire()


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


def _table(space: str, *, is_6: bool) -> Table:
    named = ("ip6" if is_6 else "ip", _TABLE)
    tables = _json(space, "nft", "-j", "list", "tables")["nftables"]
    if not any(
        (each.get("table", {}).get("family"), each.get("table", {}).get("name")) == named for each in tables
    ):
        return NO_TABLE
    listing = _run(space, "nft", "-a", "-t", "list", "table", *named)
    return read_table(_json(space, "nft", "-j", "list", "table", *named), listing)


def _host_ports(space: str, *, is_6: bool) -> Table:
    """Read the rules of the plugin portmap; iptables would make the table that it is to list."""
    tables = _json(space, "nft", "-j", "list", "tables")["nftables"]
    own = {(each["table"]["family"], each["table"]["name"]) for each in tables if "table" in each}
    program, family = ("ip6tables", "ip6") if is_6 else ("iptables", "ip")
    return read_host_ports(_run(space, program, "-t", "nat", "-S")) if (family, "nat") in own else NO_TABLE


def _doors(space: str, *, is_6: bool) -> frozenset[Door]:
    doors: frozenset[Door] = frozenset()
    for protocol, files in _SOCKETS.items():
        for file in files[is_6:]:  # a socket of IPv6 serves both, unless it says otherwise
            doors |= read_doors(protocol, _run(space, "cat", f"/proc/self/net/{file}"))
    return doors


def _json(space: str, *command: str) -> Any:
    text = _run(space, *command, must=True)
    try:
        return json.loads(text or "[]")
    except ValueError as error:
        raise KubariumError(f"`{' '.join(command)}` printed no JSON: {error}") from error


def _run(space: str, *command: str, must: bool = False) -> str:
    """Run a command in a namespace; what fails has printed nothing, unless it `must` not fail."""
    where = ["nsenter", f"--net={space}"] if space else []
    try:
        done = subprocess.run(
            [*where, *command],
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise KubariumError(
            f"{error.filename} is not installed: it shows what the nodes' network is like"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise KubariumError(f"`{' '.join(command)}` has not ended within {_TIMEOUT_S:g} s") from error
    if done.returncode and must:
        raise KubariumError(
            f"`{' '.join(command)}` failed{f' in {space}' if space else ''}: {done.stderr.strip()} "
            "(the nodes' namespaces can be looked at by root only)"
        )
    return "" if done.returncode else done.stdout


def _environment() -> Mapping[str, str]:
    return {**environment(), "LC_ALL": "C"}

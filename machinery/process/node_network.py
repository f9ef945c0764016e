"""Reads what a network namespace's kernel has, with the programs that show it (`ip`, `nft`, `iptables`); nothing is changed."""

from __future__ import annotations

import json
import subprocess
from typing import Any, Final

from machinery.model.node_network import NodeNetwork, PodNetwork, Sockets
from machinery.process.search_path import environment

_TABLE: Final = "kubarium-proxy"
_TIMEOUT_S: Final = 30.0  # wall seconds
_SOCKETS: Final = {"tcp": ("tcp", "tcp6"), "udp": ("udp", "udp6")}  # of /proc/net; the last may not be there
_BRIDGED: Final = "net.bridge.bridge-nf-call-ip{}tables"


class UnreadableNetworkError(Exception):
    """A namespace cannot be looked at: which command failed, and what it said."""


def read_node_network(space: str, *, is_6: bool, has_rules: bool = True) -> NodeNetwork:
    """Read a namespace by its file, "" for the own one, for one family of addresses.

    Args:
        space: the file.
        is_6: whether IPv6.
        has_rules: whether the packet filter is a node's; a machine's own is not looked at.

    Raises:
        UnreadableNetworkError: it is not there, or may not be looked at.
    """
    flag = "-6" if is_6 else "-4"
    addresses = _json(space, "ip", "-j", flag, "address")
    tables = _tables(space) if has_rules else frozenset()
    family, iptables = ("ip6", "ip6tables") if is_6 else ("ip", "iptables")
    is_there = (family, _TABLE) in tables
    return NodeNetwork(
        addresses=addresses,
        routes=_json(space, "ip", "-j", flag, "route"),
        links=_json(space, "ip", "-j", "link"),
        sockets=_sockets(space, is_6=is_6),
        sees_bridged=_run(space, "sysctl", "-n", _BRIDGED.format("6" if is_6 else "")).strip() == "1",
        table=_json(space, "nft", "-j", "list", "table", family, _TABLE) if is_there else {},
        rules=_run(space, "nft", "-a", "-t", "list", "table", family, _TABLE) if is_there else "",
        # it would make the table that it is to list
        nat=_run(space, iptables, "-t", "nat", "-S") if (family, "nat") in tables else "",
    )


def read_pod_network(node_space: str, process: int, *, is_6: bool) -> PodNetwork:
    """Read the namespace that a process is in, and the links of its node's (by its file, "" for the own one).

    Raises:
        UnreadableNetworkError: one is not there, or may not be looked at.
    """
    space = f"/proc/{process}/ns/net"
    return PodNetwork(
        addresses=_json(space, "ip", "-j", "address"),
        sockets=_sockets(space, is_6=is_6),
        node_links=_json(node_space, "ip", "-j", "link"),
    )


def _tables(space: str) -> frozenset[tuple[str, str]]:
    listed = _json(space, "nft", "-j", "list", "tables")["nftables"]
    return frozenset((each["table"]["family"], each["table"]["name"]) for each in listed if "table" in each)


def _sockets(space: str, *, is_6: bool) -> Sockets:
    """Read who listens; a socket of IPv6 serves both families, unless it says otherwise."""
    return {
        protocol: [_run(space, "cat", f"/proc/self/net/{file}") for file in files[is_6:]]
        for protocol, files in _SOCKETS.items()
    }


def _json(space: str, *command: str) -> Any:
    text = _run(space, *command, must=True)
    try:
        return json.loads(text or "[]")
    except ValueError as error:
        raise UnreadableNetworkError(f"`{' '.join(command)}` printed no JSON: {error}") from error


def _run(space: str, *command: str, must: bool = False) -> str:
    """Run a command in a namespace; what fails has printed nothing, unless it `must` not fail."""
    where = ["nsenter", f"--net={space}"] if space else []
    try:
        done = subprocess.run(
            [*where, *command],
            env={**environment(), "LC_ALL": "C"},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise UnreadableNetworkError(
            f"{error.filename} is not installed: it shows what the nodes' network is like"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise UnreadableNetworkError(
            f"`{' '.join(command)}` has not ended within {_TIMEOUT_S:g} s"
        ) from error
    if done.returncode and must:
        raise UnreadableNetworkError(
            f"`{' '.join(command)}` failed{f' in {space}' if space else ''}: {done.stderr.strip()} "
            "(the nodes' namespaces can be looked at by root only)"
        )
    return "" if done.returncode else done.stdout

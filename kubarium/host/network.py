"""Runs the network plans: the only module of the handle that touches namespaces and links."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from kubarium.core.addresses import Addresses
from kubarium.core.network import (
    Command,
    backbone_namespace,
    batches,
    node_namespace,
    node_port,
    plan_backbone,
    plan_no_backbone,
    plan_no_node,
    plan_nodes,
)
from kubarium.core.spec import NodeSpec
from kubarium.errors import KubariumError
from machinery.process.search_path import environment

NAMESPACES = Path("/run/netns")
_CLONE_NEWNET = 0x40000000  # sched.h
_TIMEOUT_S = 20.0


def ensure_backbone(addresses: Addresses) -> None:
    """Create the backbone, unless it exists.

    Raises:
        KubariumError: `ip` is not installed or fails; what was begun is undone.
    """
    if not (NAMESPACES / backbone_namespace(addresses.spec.name)).exists():
        run_all(plan_backbone(addresses), undo=plan_no_backbone(addresses))


def ensure_nodes(addresses: Addresses, nodes: Iterable[NodeSpec]) -> None:
    """Create the nodes' namespaces that do not exist, and connect them.

    Raises:
        KubariumError: `ip` is not installed or fails; what was begun is undone.
    """
    cluster = addresses.spec.name
    missing = [node for node in nodes if not (NAMESPACES / node_namespace(cluster, node.name)).exists()]
    undo = [command for node in missing for command in plan_no_node(addresses, node)]
    run_all(plan_nodes(addresses, missing), undo=undo)


def remove_node(addresses: Addresses, node: NodeSpec) -> None:
    """Remove a node from the network; nothing happens where it is gone.

    Raises:
        KubariumError: `ip` is not installed.
    """
    for command in plan_no_node(addresses, node):
        _ip(command)


def plug_node(addresses: Addresses, node: NodeSpec, *, plugged: bool) -> None:
    """Plug a node's cable in or pull it; its addresses and routes stay. Idempotent.

    Raises:
        KubariumError: `ip` is not installed or fails.
    """
    backbone = backbone_namespace(addresses.spec.name)
    _run_batch(backbone, [["link", "set", node_port(node), "up" if plugged else "down"]])


def remove_backbone(addresses: Addresses) -> None:
    """Remove the backbone; nothing happens where there is none.

    Raises:
        KubariumError: `ip` is not installed.
    """
    for command in plan_no_backbone(addresses):
        _ip(command)


def delete_namespace(namespace: str) -> None:
    """Remove a namespace, with the cables that end in it; nothing happens where it is gone.

    Raises:
        KubariumError: `ip` is not installed.
    """
    _ip(["netns", "delete", namespace])


def enter(namespace: str) -> None:
    """Move the calling thread into a network namespace: a named one, or that of a file by its whole path.

    Of a process with one thread that is the process.

    Raises:
        OSError: there is no such namespace, or the process may not enter it.
    """
    descriptor = os.open(NAMESPACES / namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter_file(descriptor)
    except OSError as error:
        raise OSError(error.errno, error.strerror, namespace) from error
    finally:
        os.close(descriptor)


def enter_file(descriptor: int) -> None:
    """Move the calling thread into the network namespace that a descriptor is open on.

    Raises:
        OSError: it may not enter it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def run_all(commands: list[Command], *, undo: Iterable[Command] = ()) -> None:
    """Run commands, those that happen in one namespace and follow each other at once.

    Raises:
        KubariumError: `ip` is not installed or fails; then those of `undo` are run.
    """
    try:
        for namespace, batch in batches(commands):
            _run_batch(namespace, batch)
    except KubariumError:
        for command in undo:
            _ip(command)
        raise


def ip_says(arguments: list[str]) -> str:
    """Return what `ip` says.

    Raises:
        KubariumError: it is not installed or fails.
    """
    done = _ip(arguments)
    if done.returncode != 0:
        raise KubariumError(f"`ip {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout


def _run_batch(namespace: str, commands: list[Command]) -> None:
    """Run commands in one namespace with one `ip` process, which ends at the first that fails."""
    where = ["-n", namespace] if namespace else []
    lines = "".join(f"{' '.join(command)}\n" for command in commands)
    done = _ip([*where, "-batch", "-"], lines)
    if done.returncode != 0:
        raise KubariumError(
            f"`ip {' '.join(where)} -batch` failed: {done.stderr.strip()} in:\n{lines.strip()}"
        )


def _ip(arguments: list[str], text: str = "") -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["ip", *arguments],
            env=environment(),
            input=text,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise KubariumError("the `ip` command is not installed: apt-get install iproute2") from error

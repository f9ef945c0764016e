"""Runs the network plans: the only module of the handle that touches namespaces and links."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

from kubarium.core.addresses import Addresses
from kubarium.core.network import (
    Command,
    backbone_namespace,
    node_namespace,
    plan_backbone,
    plan_no_backbone,
    plan_no_node,
    plan_node,
)
from kubarium.core.spec import NodeSpec
from kubarium.errors import KubariumError

_NAMESPACES = Path("/run/netns")
_CLONE_NEWNET = 0x40000000  # sched.h
_TIMEOUT_S = 20.0


def ensure_backbone(addresses: Addresses) -> None:
    """Lay the backbone, unless it lies there."""
    if not (_NAMESPACES / backbone_namespace(addresses.spec.name)).exists():
        _run_all(plan_backbone(addresses), undo=plan_no_backbone(addresses))


def ensure_node(addresses: Addresses, node: NodeSpec) -> None:
    """Make a node's namespace, unless it is there, and let it route."""
    space = node_namespace(addresses.spec.name, node.name)
    if not (_NAMESPACES / space).exists():
        _run_all(plan_node(addresses, node), undo=plan_no_node(addresses, node))
        _run(["netns", "exec", space, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1"])


def remove_node(addresses: Addresses, node: NodeSpec) -> None:
    """Take a node off the network; nothing happens where it is off already."""
    for command in plan_no_node(addresses, node):
        _run(command, check=False)


def remove_backbone(addresses: Addresses) -> None:
    """Take the backbone away; nothing happens where there is none."""
    for command in plan_no_backbone(addresses):
        _run(command, check=False)


def enter(namespace: str) -> None:
    """Move the calling process, which has to be single-threaded, into a named network namespace.

    Raises:
        OSError: there is no such namespace, or the process may not enter it.
    """
    descriptor = os.open(_NAMESPACES / namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(descriptor, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), namespace)
    finally:
        os.close(descriptor)


def _run_all(commands: list[Command], *, undo: list[Command]) -> None:
    try:
        for command in commands:
            _run(command)
    except KubariumError:
        for command in undo:
            _run(command, check=False)
        raise


def _run(command: Command, *, check: bool = True) -> None:
    try:
        done = subprocess.run(
            ["ip", *command],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise KubariumError("the `ip` command is not installed: apt-get install iproute2") from error
    if check and done.returncode != 0:
        raise KubariumError(f"`ip {' '.join(command)}` failed: {done.stderr.strip() or done.stdout.strip()}")

"""Nodes of other machines, as their own kubelets show them: their kernels cannot be read from here."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from kubarium.core.net.listings import read_host, read_wire
from kubarium.core.net.scene import Host, PodPlace, Wire
from machinery.client.api import Api
from machinery.model.errors import ApiError, NotFound
from machinery.model.k8s.core_v1 import Node
from machinery.model.node_network import NodeNetwork, PodNetwork, node_page, pod_page

_PATIENCE_S: Final = 15.0  # wall seconds for one page
_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What was found: hosts by name, pods with their wires, and why nothing is known of the other nodes."""

    hosts: Mapping[str, Host] = field(default_factory=dict)
    pods: Sequence[PodPlace] = ()
    unread: Mapping[str, str] = field(default_factory=dict)


async def look_elsewhere(
    api: Api, nodes: Iterable[Node], pods: Iterable[PodPlace], *, is_6: bool
) -> Elsewhere:
    """Ask the kubelets of nodes for one family of addresses, and for some pods of theirs.

    A node that does not answer, or may not be asked, is left out, and so is a pod.
    """
    turns = asyncio.Semaphore(_AT_ONCE)

    async def asked(node: str, path: str) -> bytes | Exception:
        async with turns:
            try:
                return await api.ask_node(node, "Get", path, timeout_s=_PATIENCE_S)
            except (ApiError, TimeoutError, OSError) as error:
                return error

    names = [node.metadata.name for node in nodes]
    answers = await asyncio.gather(*(asked(name, node_page(is_6=is_6)) for name in names))
    hosts: dict[str, Host] = {}
    unread: dict[str, str] = {}
    for name, answer in zip(names, answers, strict=True):
        found = _host(name, answer, is_6=is_6)
        if isinstance(found, Host):
            hosts[name] = found
        else:
            unread[name] = found
    there = [pod for pod in pods if pod.node in hosts and not pod.is_on_host]
    wires = await asyncio.gather(*(asked(pod.node, pod_page(pod.ip)) for pod in there))
    return Elsewhere(hosts, [_wired(*each) for each in zip(there, wires, strict=True)], unread)


def _host(name: str, answer: bytes | Exception, *, is_6: bool) -> Host | str:
    """Return a node, or why it is not known."""
    if isinstance(answer, Exception):
        return str(answer) or f"no answer within {_PATIENCE_S:g} s"
    try:
        return read_host(name, msgspec.json.decode(answer, type=NodeNetwork), is_6=is_6)
    except (msgspec.MsgspecError, ValueError, KeyError) as error:
        return f"its kubelet is of another version: {error}"


def _wired(pod: PodPlace, answer: bytes | Exception) -> PodPlace:
    """Return a pod with its wire; without any where its node says that it has none."""
    if isinstance(answer, NotFound):
        return pod
    try:
        if isinstance(answer, bytes):
            return replace(pod, wire=read_wire(pod.ip, msgspec.json.decode(answer, type=PodNetwork)))
    except (msgspec.MsgspecError, ValueError, KeyError):
        pass
    return replace(pod, wire=Wire(interface="?"))

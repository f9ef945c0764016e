"""Waits for what the cluster says of itself, through its gRPC door, as the administrator."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from kubarium.core.addresses import LOOPBACK
from kubarium.core.components import ADMIN
from kubarium.errors import KubariumError
from kubarium.pki import Pki
from machinery.client.api import Api
from machinery.client.grpc_transport import connect_grpc
from machinery.model.conditions import find
from machinery.model.errors import ApiError, Expired, NotFound
from machinery.model.k8s import core_v1
from machinery.model.requests import EventType
from machinery.model.resources import NODES
from machinery.process.tls import ClientTls

if TYPE_CHECKING:
    from kubarium.cluster import Cluster

# What failed is tried again. The supervisor knows when the apiserver listens, but while it imports the other programs
# it answers later than the door does: one knock is what an `up` takes as a rule.
_RETRY_S = 0.02


def connect(cluster: Cluster) -> Api:
    """Connect to a cluster as its administrator. Call it inside a running event loop."""
    pki = Pki(cluster.layout.pki)
    tls = ClientTls(
        ca_file=str(pki.certificate("ca")),
        cert_file=str(pki.certificate(ADMIN.name)),
        key_file=str(pki.key(ADMIN.name)),
    )
    return connect_grpc(f"{LOOPBACK}:{cluster.addresses.grpc_port}", tls, caller="kubarium")


def wait_for_nodes(
    cluster: Cluster,
    *,
    timeout_s: float,
    absent: str = "",
    progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Return when every node of the spec is Ready; with `absent`, when that node's object is deleted.

    Raises:
        KubariumError: not in time.
    """
    wanted = [node.name for node in cluster.spec.nodes]
    state = _State()
    try:
        asyncio.run(asyncio.wait_for(_wait(cluster, wanted, absent, state, progress), timeout_s))
    except TimeoutError as error:
        raise KubariumError(
            f'cluster "{cluster.name}" was not ready within {timeout_s:g} s: {state.missing(wanted)}; '
            f"`kubarium ps` and `kubarium logs COMPONENT` tell more"
        ) from error


class _State:
    """What was seen so far, for the message when it was not enough."""

    def __init__(self) -> None:
        self.answering = False
        self.ready: set[str] = set()
        self.error = ""

    def missing(self, wanted: Iterable[str]) -> str:
        if not self.answering:
            return f"the apiserver does not answer ({self.error})"
        return f"not Ready: {', '.join(name for name in wanted if name not in self.ready)}"


async def _wait(
    cluster: Cluster,
    wanted: list[str],
    absent: str,
    state: _State,
    progress: Callable[[str], None],
) -> None:
    began = time.monotonic()
    api = connect(cluster)
    try:
        await _until_listening(cluster.addresses.grpc_port, state)
        await _until_answering(api, state)
        progress(f"the apiserver answers after {time.monotonic() - began:.1f} s")
        if absent:
            await _delete_node(api, absent)
            return
        await _until_ready(
            api,
            wanted,
            state,
            lambda name: progress(f"{name} is Ready after {time.monotonic() - began:.1f} s"),
        )
    finally:
        await api.aclose()


async def _until_listening(port: int, state: _State) -> None:
    """Knock until somebody opens: a gRPC channel that was refused would wait longer and longer."""
    while True:
        try:
            _, writer = await asyncio.open_connection(LOOPBACK, port)
        except OSError as error:
            state.error = str(error)
            await asyncio.sleep(_RETRY_S)
        else:
            writer.close()
            return


async def _until_answering(api: Api, state: _State) -> None:
    while not state.answering:
        try:
            await api.list(NODES, limit=1, timeout_s=2)
            state.answering = True
        except ApiError as error:
            state.error = str(error)
            await asyncio.sleep(_RETRY_S)


async def _until_ready(api: Api, wanted: list[str], state: _State, note: Callable[[str], None]) -> None:
    while not state.ready.issuperset(wanted):
        try:
            listing = await api.list(NODES)
            for node in listing.items:
                _note(node, state, note)
            if state.ready.issuperset(wanted):
                return
            async for batch in api.watch(NODES, resource_version=str(listing.revision)):
                for event in batch:
                    if event.object is not None and event.type is not EventType.DELETED:
                        _note(event.object, state, note)
                if state.ready.issuperset(wanted):
                    return
        except Expired:
            continue
        except ApiError as error:
            state.error = str(error)
            await asyncio.sleep(_RETRY_S)


def _note(node: core_v1.Node, state: _State, note: Callable[[str], None]) -> None:
    name = node.metadata.name
    ready = find(node.status.conditions, "Ready")
    if ready is None or ready.status != "True":
        state.ready.discard(name)
    elif name not in state.ready:
        state.ready.add(name)
        note(name)


async def _delete_node(api: Api, name: str) -> None:
    try:
        await api.delete(NODES, name)
    except NotFound:
        return

"""Waits for what the cluster says of itself, through its gRPC door, as the administrator."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from kubarium.core.addresses import CLUSTER_DNS, Addresses
from kubarium.core.components import ADMIN, PROXY
from kubarium.core.layout import Layout
from kubarium.core.publications import Place, Ways
from kubarium.core.spec import APISERVER, ClusterSpec
from kubarium.dns_answers import connected, until_it_answers
from kubarium.errors import KubariumError
from kubarium.identity.pki import Pki
from machinery.client.api import Api
from machinery.client.grpc_transport import connect_grpc
from machinery.model.conditions import find
from machinery.model.errors import ApiError, Expired, NotFound
from machinery.model.k8s import core_v1
from machinery.model.requests import EventType
from machinery.model.resources import NODES
from machinery.process.clock import WALL
from machinery.process.tls import ClientTls

# What failed is tried again. The supervisor knows when the apiserver listens, but while it imports the other programs
# it answers later than the door does: one knock is what an `up` takes as a rule.
_RETRY_S = 0.02
_NAMED = 20  # nodes that are missing, in a message
_TOLD_HOLLOW = 500  # hollow nodes from one word of progress to the next
_ANSWER_S = 3.0  # for one answer, where there is nothing to wait for


def connect(spec: ClusterSpec, layout: Layout[Path]) -> Api:
    """Connect to a cluster as its administrator; on a machine that joined, as its proxies, who may look at the nodes.

    Call it inside a running event loop.
    """
    pki, who = Pki(layout.pki), PROXY if spec.joined else ADMIN
    return _connect(spec, layout, str(pki.certificate(who.name)), str(pki.key(who.name)))


def _connect(spec: ClusterSpec, layout: Layout[Path], certificate: str, key: str) -> Api:
    tls = ClientTls(str(Pki(layout.pki).certificate("ca")), certificate, key, APISERVER)
    return connect_grpc(",".join(Addresses(spec).grpc_servers), tls, caller="kubarium", clock=WALL)


def require_answer(spec: ClusterSpec, layout: Layout[Path]) -> None:
    """Check that an apiserver answers now, before something is begun that cannot be finished without one.

    Raises:
        KubariumError: none does.
    """
    try:
        asyncio.run(_ask_once(spec, layout))
    except (TimeoutError, OSError, ApiError) as error:
        why = str(error) or f"silent for {_ANSWER_S:g} s"
        raise KubariumError(
            f'no apiserver of cluster "{spec.name}" answers ({why}), so that nothing was changed: '
            f"`kubarium ps --name {spec.name}` shows what runs, `kubarium restart` starts what is down"
        ) from error


async def _ask_once(spec: ClusterSpec, layout: Layout[Path]) -> None:
    async with WALL.timeout_wall(_ANSWER_S):
        await _knock(Addresses(spec).grpc_servers)
        api = connect(spec, layout)
        try:
            await api.list(NODES, limit=1, timeout_s=_ANSWER_S)
        finally:
            await api.aclose()


async def _knock(servers: list[str]) -> None:
    """Return when one of the servers opens; each is tried once.

    Raises:
        OSError: none does.
    """
    refused = OSError("the cluster has no apiserver")
    for server in servers:
        host, _, port = server.rpartition(":")
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError as error:
            refused = error
        else:
            writer.close()
            return
    raise refused


def wait_for_nodes(
    spec: ClusterSpec,
    layout: Layout[Path],
    *,
    nodes: Iterable[str] | None = None,
    timeout_s: float,
    began: float,
    progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Return when nodes are Ready: those that are named, or all of the spec and with them the cluster's DNS.

    What a node's kubelet said before the machine was last switched on does not count. Progress is told with the seconds
    since `began` (of the monotonic wall clock).

    Raises:
        KubariumError: not in time.
    """
    wanted = [*(node.name for node in spec.nodes), *spec.hollow_names] if nodes is None else list(nodes)
    state = _State(layout)

    hollow = frozenset(spec.hollow_names)

    def tell(name: str) -> None:
        after = f"after {WALL.monotonic_wall() - began:.1f} s"
        if name not in hollow:
            progress(f"{name} is Ready {after}")
        elif not (count := len(state.ready & hollow)) % _TOLD_HOLLOW or count == len(hollow):
            progress(f"{count} of {len(hollow)} hollow nodes are Ready {after}")

    async def until_ready(api: Api) -> None:
        await _until_answering(api, Addresses(spec).grpc_servers, state)
        progress(f"the apiserver answers after {WALL.monotonic_wall() - began:.1f} s")
        await _until_ready(api, frozenset(wanted), state, tell)
        if spec.has_dns and nodes is None and not spec.joined and (spec.nodes or spec.dns == "process"):
            await until_it_answers(_to_dns(spec))
            progress(f"DNS answers after {WALL.monotonic_wall() - began:.1f} s")

    try:
        _run(spec, layout, until_ready, timeout_s)
    except TimeoutError as error:
        raise KubariumError(
            f'cluster "{spec.name}" was not ready within {timeout_s:g} s: {state.missing(wanted)}; '
            f"what was started goes on running: `kubarium ps --name {spec.name}` lists it, "
            f"`kubarium logs --name {spec.name} COMPONENT` tells more, `kubarium down --name {spec.name}` ends it"
        ) from error


def _to_dns(spec: ClusterSpec) -> Callable[[], socket.socket]:
    """Return what makes sockets to the cluster's DNS: to its process, or as a node sees it, where pods are asked."""
    if spec.dns == "process":
        addresses = Addresses(spec)
        return partial(connected, addresses.host, addresses.dns_port)
    from kubarium.publishing.dialing import Dialer  # few clusters have it so

    place = Place(CLUSTER_DNS, 53, spec.nodes[0].name)
    return partial(Dialer(WALL, spec.name).datagrams, Ways((place,)))


def delete_node(spec: ClusterSpec, layout: Layout[Path], name: str, *, timeout_s: float) -> None:
    """Return when a node's object is deleted, or is not there. On a machine that joined, the node deletes it itself.

    Raises:
        KubariumError: not in time.
    """
    state = _State(layout)

    async def delete(api: Api) -> None:
        while True:
            if spec.joined:  # a node may not look at the others
                await _until_listening(Addresses(spec).grpc_servers, state)
            else:
                await _until_answering(api, Addresses(spec).grpc_servers, state)
            try:
                await api.delete(NODES, name)
            except NotFound:
                return
            except ApiError as error:
                state.error, state.answering = str(error), False
                await WALL.sleep_wall(_RETRY_S)
            else:
                return

    own = str(layout.node(name) / "kubelet" / "pki" / "kubelet-client-current.pem")
    certificate = own if spec.joined else ""
    try:
        asyncio.run(_run_as(spec, layout, delete, timeout_s, certificate))
    except TimeoutError as error:
        raise KubariumError(
            f"{name} is switched off, but its Node object could not be deleted within {timeout_s:g} s "
            f"({state.error}): `kubarium node rm --name {spec.name} {name}` goes on with it"
        ) from error


def _run(
    spec: ClusterSpec,
    layout: Layout[Path],
    work: Callable[[Api], Coroutine[Any, Any, None]],
    timeout_s: float,
) -> None:
    """Run `work` with a connection to the cluster, for so long at most."""
    asyncio.run(run_as_admin(spec, layout, work, timeout_s))


async def run_as_admin(
    spec: ClusterSpec,
    layout: Layout[Path],
    work: Callable[[Api], Coroutine[Any, Any, None]],
    timeout_s: float,
) -> None:
    """Run `work` with the administrator's connection to the cluster, for so long at most.

    Raises:
        TimeoutError: it took longer.
    """
    await _run_as(spec, layout, work, timeout_s)


def as_admin(
    spec: ClusterSpec,
    layout: Layout[Path],
    work: Callable[[Api], Coroutine[Any, Any, None]],
    timeout_s: float,
    problem: str,
) -> None:
    """Run `work` as `run_as_admin` does, to its end; `problem` is what users read before the reason why it could not be.

    Raises:
        KubariumError: the apiserver refuses, or does not answer in time.
    """
    try:
        asyncio.run(run_as_admin(spec, layout, work, timeout_s))
    except (ApiError, TimeoutError) as error:
        why = str(error) or f"no apiserver answered within {timeout_s:g} s"
        raise KubariumError(f"{problem}: {why}") from error


async def _run_as(
    spec: ClusterSpec,
    layout: Layout[Path],
    work: Callable[[Api], Coroutine[Any, Any, None]],
    timeout_s: float,
    certificate: str = "",
) -> None:
    """Run `work` as who has a certificate, whose file has the key as well; "" is `connect`'s own."""
    api = _connect(spec, layout, certificate, certificate) if certificate else connect(spec, layout)
    try:
        async with WALL.timeout_wall(timeout_s):
            await work(api)
    finally:
        await api.aclose()


class _State:
    """What was seen so far, for the message when it was not enough."""

    def __init__(self, layout: Layout[Path]) -> None:
        self.layout = layout
        self.answering = False
        self.ready: set[str] = set()
        self.error = ""

    def has(self, wanted: frozenset[str]) -> bool:
        """Whether all that are wanted are Ready; cheap while most are not."""
        return len(self.ready) >= len(wanted) and self.ready >= wanted

    def missing(self, wanted: Iterable[str]) -> str:
        if not self.answering:
            return f"the apiserver does not answer ({self.error})"
        if self.ready.issuperset(wanted):
            return "the cluster's DNS does not answer"
        missing = [name for name in wanted if name not in self.ready]
        others = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        return f"not Ready: {', '.join(missing[:_NAMED])}{others}"


async def _until_answering(api: Api, servers: list[str], state: _State) -> None:
    await _until_listening(servers, state)
    while not state.answering:
        try:
            await api.list(NODES, limit=1, timeout_s=2)
            state.answering = True
        except ApiError as error:
            state.error = str(error)
            await WALL.sleep_wall(_RETRY_S)


async def _until_listening(servers: list[str], state: _State) -> None:
    """Knock until somebody opens: a gRPC channel that was refused would wait longer and longer."""
    while True:
        try:
            await _knock(servers)
        except OSError as error:
            state.error = str(error)
            await WALL.sleep_wall(_RETRY_S)
        else:
            return


async def _until_ready(api: Api, wanted: frozenset[str], state: _State, note: Callable[[str], None]) -> None:
    while not state.has(wanted):
        try:
            listing = await api.list(NODES)
            for node in listing.items:
                _note(node, wanted, state, note)
            if state.has(wanted):
                return
            async for batch in api.watch(NODES, resource_version=str(listing.revision)):
                for event in batch:
                    if event.object is not None and event.type is not EventType.DELETED:
                        _note(event.object, wanted, state, note)
                if state.has(wanted):
                    return
        except Expired:
            continue
        except ApiError as error:
            state.error = str(error)
            await WALL.sleep_wall(_RETRY_S)


def _note(node: core_v1.Node, wanted: frozenset[str], state: _State, note: Callable[[str], None]) -> None:
    name = node.metadata.name
    if name not in wanted:
        return
    if not is_ready(node, _boot_id(state.layout, name)):
        state.ready.discard(name)
    elif name not in state.ready:
        state.ready.add(name)
        note(name)


def is_ready(node: core_v1.Node, boot_id: str) -> bool:
    """Whether a node is Ready, and says so since the start of its machine that has this id ("": since whenever)."""
    ready = find(node.status.conditions, "Ready")
    if ready is None or ready.status != "True":
        return False
    info = node.status.nodeInfo
    return not boot_id or (info is not None and info.bootID == boot_id)


def _boot_id(layout: Layout[Path], node: str) -> str:
    try:
        return (layout.identity(node) / "boot-id").read_text().strip()
    except OSError:
        return ""

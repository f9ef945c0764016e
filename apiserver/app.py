"""The apiserver, put together: store → caches → gate → registry → doors.

It opens its doors at once and is ready when etcd has answered and the cluster's own objects are there. Until then,
and whenever etcd is away later, requests end with 503. SIGTERM: not ready → watches end → requests finish → store.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import apiserver.rest.listener  # noqa: F401 - imported once, before processes are forked, not in each of them
from apiserver import resource_metrics, schemas
from apiserver.access_log import AccessLog
from apiserver.admission.dynamic import DynamicAdmission
from apiserver.admission.metrics import AdmissionMetrics
from apiserver.admission.namespaces import MissingNamespaces
from apiserver.admission.service_dialer import ServiceDialer
from apiserver.admission.web_client import WebClient
from apiserver.aggregation.build import Aggregation, build_aggregation
from apiserver.allocation import Allocator, cidrs_of
from apiserver.authentication import Authenticator
from apiserver.bindings import binding_handlers
from apiserver.bootstrap import Bootstrap
from apiserver.compaction import Compaction
from apiserver.component_statuses import ComponentStatuses
from apiserver.config import ApiserverConfig
from apiserver.configured_parts import Access, makers_of
from apiserver.core import bootstrap as core_bootstrap
from apiserver.core import writes
from apiserver.core.admission import Chain, chosen, make_chain
from apiserver.core.admission.attributes import Plugin
from apiserver.core.catalogue import Catalogue
from apiserver.core.custom.language import compile_rule
from apiserver.core.custom.serving import Seams
from apiserver.core.kinds import ALL, KINDS, services
from apiserver.core.schema import Schemas
from apiserver.custom_resources import ServedDefinitions, Upkeep
from apiserver.custom_resources.conversion import converter_of
from apiserver.flow_control import FlowControl
from apiserver.flow_objects import FlowObjects
from apiserver.gate import Gate
from apiserver.kubelets import Kubelets
from apiserver.lookup import Lookup
from apiserver.node_references import NodeReferences
from apiserver.node_usages import NodeUsages
from apiserver.opening import Opening
from apiserver.presence import Addresses, Presence
from apiserver.rbac_cache import RbacCache
from apiserver.registry import Parts, Registry
from apiserver.registry.reads import Reads
from apiserver.reloading import ReloadedFile
from apiserver.request_checks import BODY_LIMIT
from apiserver.rest.server import serving_rest
from apiserver.rest.services import RestServices
from apiserver.reviews import review_handlers
from apiserver.service_tunnels import ServiceTunnels
from apiserver.services.resources import resources_handler
from apiserver.storage.endpoints import EtcdTls
from apiserver.storage.etcd import EtcdStorage
from apiserver.storage.interface import Storage
from apiserver.storage.measured import MeasuredStorage
from apiserver.storage.seam import READING
from apiserver.storage_metrics import StorageMetrics
from apiserver.token_requests import token_handlers
from apiserver.watch_cache_feed import Feed
from apiserver.write_record import WriteRecord
from machinery.client.seam_channel import through
from machinery.client.tls import ClientTls
from machinery.model.k8s import served
from machinery.model.seam import Ends
from machinery.process import heap
from machinery.process.run import Process
from machinery.process.server import grpc_server
from machinery.process.tls import ServerTls
from machinery.process.token_key import TokenKey

if TYPE_CHECKING:
    from apiserver.audit.trail import Trail

if TYPE_CHECKING:
    from apiserver.admission.stages import Stages

_ANSWERED: Final = (*served.REVIEWS, *served.POSTED, *served.COMPUTED, *resource_metrics.KINDS)
GRACE_S: Final = 2.0  # wall seconds that running requests have when the server stops


@dataclass(frozen=True, slots=True)
class Core:
    """Everything behind the doors."""

    catalogue: Catalogue
    storage: Storage
    feed: Feed
    reads: Reads
    opening: Opening
    write_record: WriteRecord
    registry: Registry
    gate: Gate
    authenticator: Authenticator
    token_key: TokenKey
    kubelets: Kubelets
    bootstrap: Bootstrap
    presence: Presence
    allocator: Allocator
    reloaded: tuple[ReloadedFile, ...]
    closing: list[Callable[[], Awaitable[None]]]  # what is called when nothing is served any more
    definitions: Upkeep
    trail: Trail | None  # the audit log
    flow_objects: FlowObjects
    aggregation: Aggregation


async def serve(config: ApiserverConfig, process: Process) -> None:
    """Serve both doors until cancelled."""
    async with AsyncExitStack() as stack:
        storage = _etcd(config, process)
        stack.push_async_callback(storage.aclose)
        core = build(config, process, storage)
        stack.push_async_callback(core.kubelets.aclose)
        await stack.enter_async_context(running(core, process))
        await stack.enter_async_context(doors(core, config, process))
        await core.bootstrap.run_until_done(process.clock)
        await core.presence.ensure()
        await core.feed.wait_filled()
        core.registry.open()
        process.ready()
        await core.bootstrap.complete_until_done(process.clock)
        await asyncio.get_running_loop().create_future()


def build(
    config: ApiserverConfig,
    process: Process,
    store: Storage,
    *,
    rng: random.Random | None = None,
    key: TokenKey | None = None,
) -> Core:
    """Construct the parts behind the doors; nothing runs yet.

    `rng` makes names, uids and addresses. Without a `key` the one of the configuration is read.

    Raises:
        ValueError: the file of the key holds none, or another one of the configuration makes no sense.
        OSError: one cannot be read.
    """
    rng = rng or random.Random()  # noqa: S311 - a uid is no secret
    clock, log = process.clock, process.log
    storage = MeasuredStorage(store)
    catalogue = Catalogue(ALL, _ANSWERED)
    feed = Feed(storage, catalogue, clock, log=log)
    opening = Opening(feed, clock)
    reads = Reads(storage, feed, rng)
    lookup = Lookup(catalogue, reads)
    rbac, references = RbacCache(feed, opening), NodeReferences(feed, reads, KINDS)
    makers, access = makers_of(config, process), Access(config, process)
    gate = makers.gate(catalogue, rbac, references)
    access.authorize(gate, rbac, references)
    key = key or TokenKey.load(config.sa_key_file)
    authenticator = makers.authenticator(lookup, key, clock)
    access.authenticate(authenticator)
    allocator = Allocator(
        storage, services.STORAGE_PREFIX, config.service_cidr, clock, rng=rng, log=log, cidrs=cidrs_of(feed)
    )
    write_record = WriteRecord(clock, log)
    known = _schemas(catalogue)
    admission, admission_metrics = access.admission(), AdmissionMetrics(process.metrics, clock)
    chain = _chain(config, admission_metrics, admission.plugins)
    kubelets = _kubelets(config, process, lookup)
    tunnels = ServiceTunnels(kubelets, process.tasks.create_task)
    web_client, dialer = WebClient(clock), ServiceDialer(catalogue, feed, tunnels)
    access.closing.append(web_client.aclose)
    converters = converter_of(web_client, dialer)
    seams = Seams(partial(writes.read_metadata, known), compile_rule, converters)
    definitions = ServedDefinitions(catalogue, seams, log)
    feed.cache(served.CUSTOM_RESOURCE_DEFINITIONS).follow(definitions)

    def stages() -> Stages:
        from apiserver.admission.build import build_stages  # where there are policies or webhooks

        return build_stages(
            catalogue,
            feed,
            storage,
            known,
            gate.authorize,
            chain.later,
            client=web_client,
            dialer=dialer,
            clock=clock,
            log=log,
            metrics=process.metrics,
            meter=admission_metrics,
            as_whom=admission.as_whom,
        )

    dynamic = DynamicAdmission(catalogue, feed, chain.later, stages)
    parts = Parts(
        catalogue,
        storage,
        feed,
        known,
        clock,
        write_record,
        {served.SERVICES.group_resource: allocator},
        admission.settings,
        gate,
        rng,
        chain,
        dynamic,
        admission_metrics,
        admission.image_policy,
        MissingNamespaces(lambda name: bootstrap.create(core_bootstrap.namespace(name)))
        if chain.provides_namespaces
        else None,
    )
    metrics = resource_metrics.ResourceMetrics(
        catalogue, reads, NodeUsages(kubelets, process.tasks.create_task, clock, log), clock
    )
    handlers = {
        **review_handlers(gate, authenticator, schemas.load),
        **token_handlers(lookup, key, clock, schemas.load),
        **binding_handlers(lambda: registry, schemas.load),
        **metrics.handlers(),
    }
    flow = FlowControl(config.max_requests_inflight, process.metrics, process.clock)
    flow_objects = FlowObjects(feed, flow, clock, log)
    statuses = ComponentStatuses(storage, reads, KINDS[served.LEASES.group, served.LEASES.plural], clock)
    handlers |= {("", served.COMPONENT_STATUSES.plural, "", "get"): statuses.get}
    listers = {("", served.COMPONENT_STATUSES.plural): statuses.list, **metrics.listers()}
    registry = makers.registry(parts, reads, opening, handlers, process.metrics, flow, listers)
    bootstrap = Bootstrap(catalogue, registry, feed, log)
    addresses = Addresses(
        allocator.range.first, config.advertise_address, config.rest_port, (config.service_cidr,)
    )
    presence = Presence(storage, feed, bootstrap, addresses, log)
    aggregation = build_aggregation(
        config.front_proxy_files, catalogue, registry, feed, dialer, process.metrics, clock, log
    )
    upkeep = Upkeep(served.CUSTOM_RESOURCE_DEFINITIONS, definitions, registry, storage, feed, clock, log)
    process.health.add_check("etcd", lambda: feed.problem or storage.problem)
    process.health.add_check("informer-sync", lambda: "" if feed.ready else "the caches are not filled yet")
    process.health.add_check("autoregister-completion", aggregation.registration.problem)
    process.metrics.add(StorageMetrics(storage, feed, catalogue))
    return Core(
        catalogue,
        storage,
        feed,
        reads,
        opening,
        write_record,
        registry,
        gate,
        authenticator,
        key,
        kubelets,
        bootstrap,
        presence,
        allocator,
        tuple(access.reloaded),
        access.closing,
        upkeep,
        makers.trail,
        flow_objects,
        aggregation,
    )


def _chain(
    config: ApiserverConfig, metrics: AdmissionMetrics, configured_plugins: Collection[Plugin]
) -> Chain:
    on = chosen(config.enable_admission_plugins, config.disable_admission_plugins)
    return make_chain(on, metrics, configured_plugins)


def _kubelets(config: ApiserverConfig, process: Process, lookup: Lookup) -> Kubelets:
    return Kubelets(
        lookup,
        ClientTls(config.ca_file, config.kubelet_cert_file, config.kubelet_key_file),
        process.clock,
        seam=lambda channel, node: through(
            channel, process.seam, Ends(process.name, f"kubelet@{node}", "node")
        ),
    )


def _schemas(catalogue: Catalogue) -> Schemas:
    """Return the schemas of all kinds that are in the catalogue, or will be."""
    found = schemas.load().extensible()
    for kind in catalogue.kinds():
        found.add(kind.definitions)
    catalogue.subscribe(lambda kind: found.add(kind.definitions), lambda kind: found.remove(kind.definitions))
    return found


@asynccontextmanager
async def running(core: Core, process: Process) -> AsyncIterator[None]:
    """Run the loops behind the doors; inside, the caches follow the store."""

    async def later(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        await core.registry.wait_open(within_s=None)
        await work()

    def sleep(wall_s: float) -> Awaitable[None]:
        return process.clock.sleep(process.clock.timescale.cluster(wall_s))

    compaction = Compaction(core.storage, process.log)
    loops: dict[str, Coroutine[Any, Any, None]] = {
        "feed": core.feed.run(),
        "probe": core.feed.probe(),
        "fill": core.feed.fill(),
        "bookmarks": core.feed.bookmarks(sleep=sleep),
        "storage": core.storage.follow_problem(sleep),
        "presence": later(partial(core.presence.keep, sleep)),
        "heap": heap.keep_trimmed(sleep),
        "compaction": later(partial(compaction.run, sleep=sleep)),
        "allocation": later(core.allocator.repair_forever),
        **{f"reload-{number}": each.follow(sleep) for number, each in enumerate(core.reloaded)},
        "definitions": later(core.definitions.run),
        "flows": later(partial(core.flow_objects.keep, core.registry, core.bootstrap.uphold_flows, sleep)),
    }
    loops |= {name: later(work) for name, work in core.aggregation.loops().items()}
    sinks = core.trail.sinks if core.trail is not None else ()
    loops |= {f"audit-{number}": sink.run() for number, sink in enumerate(sinks)}
    tasks = [process.tasks.create_task(work, name=name) for name, work in loops.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(close() for close in (*core.closing, *(sink.aclose for sink in sinks))))


def rest_services(core: Core, process: Process, config: ApiserverConfig | None = None) -> RestServices:
    """Return what the REST door works with; the configuration is what it shows at /configz."""
    return RestServices(
        name=process.name,
        catalogue=core.catalogue,
        registry=core.registry,
        gate=core.gate,
        authenticator=core.authenticator,
        token_key=core.token_key,
        kubelets=core.kubelets,
        clock=process.clock,
        log=process.log,
        metrics=process.metrics,
        health=process.health,
        aggregation=core.aggregation,
        configuration=asdict(config) if config else {},
    )


@asynccontextmanager
async def doors(core: Core, config: ApiserverConfig, process: Process) -> AsyncIterator[None]:
    """Serve both doors while inside.

    Raises:
        ListenError: an address is taken.
    """
    services = rest_services(core, process, config)
    handler = resources_handler(
        core.catalogue,
        core.registry,
        core.gate,
        core.authenticator,
        name=process.name,
        others=core.aggregation.registry,
        kubelets=core.kubelets,
    )
    access = AccessLog(process.log, process.clock) if config.access_log else None
    if access is not None:
        from apiserver.services.access import logged  # seldom needed

        handler = logged(handler, access)
    around = None
    if core.trail is not None:
        from apiserver.audit.grpc import audited  # seldom needed
        from apiserver.audit.rest import AuditedDoor

        handler = audited(handler, core.gate, core.authenticator, core.trail)
        around = partial(AuditedDoor, gate=core.gate, trail=core.trail)
    server = grpc_server(
        config.grpc_listen,
        _tls(config),
        [handler],
        process.seam,
        name=process.name,
        largest_bytes=2 * BODY_LIMIT,  # those up to here are refused with a Status
        connections=config.rest_limits.connections,
    )
    rest_tls = _tls(config, require_client=False)
    async with serving_rest(
        services, config.rest_listen, rest_tls, config.rest_limits, process.seam, access, around
    ):
        await server.start()
        process.log.info("serving", rest=",".join(config.rest_listen), grpc=",".join(config.grpc_listen))
        try:
            yield
        finally:
            process.health.is_ready = False
            core.feed.end_watches()
            await server.stop(GRACE_S)


def _etcd(config: ApiserverConfig, process: Process) -> EtcdStorage:
    tls = (
        EtcdTls(config.etcd_ca_file, config.etcd_cert_file, config.etcd_key_file)
        if config.etcd_ca_file
        else None
    )
    return EtcdStorage(
        config.etcd_servers,
        tls,
        caller=process.name,
        seam=lambda channel, member: through(
            channel, process.seam, Ends(process.name, member, "etcd"), READING
        ),
    )


def _tls(config: ApiserverConfig, *, require_client: bool = True) -> ServerTls:
    return ServerTls(config.cert_file, config.key_file, config.ca_file, require_client=require_client)

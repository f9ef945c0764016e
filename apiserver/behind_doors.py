"""The apiserver behind its doors, put together: store → caches → guards → admission → registry.

What belongs together is made by one function, in the order of use; `apiserver.app` runs what comes of it, and opens the doors.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from apiserver import resource_metrics, schemas
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
from apiserver.component_statuses import ComponentStatuses
from apiserver.config import ApiserverConfig
from apiserver.configured_parts import Access, Admission, Makers, makers_of
from apiserver.core import bootstrap as core_bootstrap
from apiserver.core import writes
from apiserver.core.admission import Chain, chosen, make_chain
from apiserver.core.catalogue import Catalogue
from apiserver.core.custom.language import compile_rule
from apiserver.core.custom.serving import Seams
from apiserver.core.kinds import KINDS, services, with_families
from apiserver.core.schema import Schemas
from apiserver.custom_resources import ServedDefinitions, Upkeep
from apiserver.custom_resources.conversion import converter_of
from apiserver.flow_control import FlowControl
from apiserver.flow_objects import FlowObjects
from apiserver.gate import Gate
from apiserver.kubelets import Kubelets
from apiserver.legacy_tokens import LegacyTokenUses
from apiserver.lookup import Lookup
from apiserver.node_references import NodeReferences
from apiserver.node_usages import NodeUsages
from apiserver.opening import Opening
from apiserver.presence import Addresses, Presence
from apiserver.rbac_cache import RbacCache
from apiserver.registry import Handlers, Listers, Parts, Registry
from apiserver.registry.reads import Reads
from apiserver.reloading import ReloadedFile
from apiserver.reviews import review_handlers
from apiserver.service_tunnels import ServiceTunnels
from apiserver.storage.interface import Storage
from apiserver.storage.measured import MeasuredStorage
from apiserver.storage_metrics import StorageMetrics
from apiserver.token_requests import token_handlers
from apiserver.watch_cache_feed import Feed
from apiserver.write_record import WriteRecord
from machinery.client.seam_channel import through
from machinery.client.tls import ClientTls
from machinery.model.k8s import served
from machinery.model.seam import Ends
from machinery.process.run import Process
from machinery.process.token_key import TokenKey

if TYPE_CHECKING:
    from apiserver.admission.stages import Stages
    from apiserver.audit.trail import Trail

_ANSWERED: Final = (*served.REVIEWS, *served.POSTED, *served.COMPUTED, *resource_metrics.KINDS)


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
    keep_legacy_tokens: Callable[[], Coroutine[Any, Any, None]]
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


def build(
    config: ApiserverConfig,
    process: Process,
    store: Storage,
    *,
    rng: random.Random | None = None,
    key: TokenKey | None = None,
) -> Core:
    """Construct the parts behind the doors; nothing runs yet.

    `rng` makes uids, addresses and, by a sequence of its own, names: one more object of another kind changes none. Without a
    `key` the one of the configuration is read.

    Raises:
        ValueError: the file of the key holds none, or another one of the configuration makes no sense.
        OSError: one cannot be read.
    """
    chance = _chance(rng or random.Random())  # noqa: S311 - a uid is no secret
    stored = _make_stored(process, store, chance.ends, config.families)
    guards = _make_guards(config, process, stored, key)
    peers = _make_peers(config, process, stored)
    guards.access.closing.append(peers.web_client.aclose)
    definitions = _make_definitions(process, stored, peers)
    admission = _make_admission(config, process, stored, guards, peers)
    allocator = _make_allocator(config, process, stored, chance.values)
    writing = _make_writing(config, process, stored, guards, peers, admission, allocator, chance)
    aggregation = _make_aggregation(config, process, stored, peers, writing.registry)
    _watch_over(process, stored, aggregation)
    return Core(
        catalogue=stored.catalogue,
        storage=stored.storage,
        feed=stored.feed,
        reads=stored.reads,
        opening=stored.opening,
        write_record=writing.write_record,
        registry=writing.registry,
        gate=guards.gate,
        authenticator=guards.authenticator,
        keep_legacy_tokens=partial(guards.legacy_uses.keep, stored.lookup, writing.bootstrap),
        token_key=guards.token_key,
        kubelets=peers.kubelets,
        bootstrap=writing.bootstrap,
        presence=_make_presence(config, process, stored, allocator, writing.bootstrap),
        allocator=allocator,
        reloaded=tuple(guards.access.reloaded),
        closing=guards.access.closing,
        definitions=_make_upkeep(process, stored, definitions, writing.registry),
        trail=guards.makers.trail,
        flow_objects=FlowObjects(stored.feed, writing.flow, process.clock, process.log),
        aggregation=aggregation,
    )


class _Chance(NamedTuple):
    """What is drawn by lot: uids and addresses, the letters of generated names, when watches end."""

    values: random.Random
    letters: random.Random
    ends: random.Random


def _chance(rng: random.Random) -> _Chance:
    letters, ends = (random.Random(rng.getrandbits(64)) for _ in range(2))  # noqa: S311 - no secrets
    return _Chance(rng, letters, ends)


class _Stored(NamedTuple):
    """What is stored, which kinds there are, and how both are read."""

    storage: MeasuredStorage
    catalogue: Catalogue
    schemas: Schemas
    feed: Feed
    opening: Opening
    reads: Reads
    lookup: Lookup


def _make_stored(process: Process, store: Storage, rng: random.Random, families: Sequence[str]) -> _Stored:
    storage, catalogue = MeasuredStorage(store), Catalogue(with_families(families), _ANSWERED)
    feed = Feed(storage, catalogue, process.clock, log=process.log)
    reads = Reads(storage, feed, rng)
    opening, lookup = Opening(feed, process.clock), Lookup(catalogue, reads)
    return _Stored(storage, catalogue, _schemas(catalogue), feed, opening, reads, lookup)


def _schemas(catalogue: Catalogue) -> Schemas:
    """Return the schemas of all kinds that are in the catalogue, or will be."""
    found = schemas.load().extensible()
    for kind in catalogue.kinds():
        found.add(kind.definitions)
    catalogue.subscribe(lambda kind: found.add(kind.definitions), lambda kind: found.remove(kind.definitions))
    return found


class _Guards(NamedTuple):
    """Who is believed, and who may do what."""

    makers: Makers
    access: Access
    gate: Gate
    authenticator: Authenticator
    legacy_uses: LegacyTokenUses
    token_key: TokenKey


def _make_guards(config: ApiserverConfig, process: Process, stored: _Stored, key: TokenKey | None) -> _Guards:
    rbac = RbacCache(stored.feed, stored.opening)
    references = NodeReferences(stored.feed, stored.reads, KINDS)
    makers, access = makers_of(config, process), Access(config, process)
    gate = makers.gate(stored.catalogue, rbac, references)
    access.authorize(gate, rbac, references)
    key = key or TokenKey.load(config.sa_key_file)
    authenticator = makers.authenticator(stored.lookup, key, process.clock)
    access.authenticate(authenticator)
    uses = authenticator.legacy_uses = LegacyTokenUses(process.metrics, process.clock, process.log)
    return _Guards(makers, access, gate, authenticator, uses, key)


class _Peers(NamedTuple):
    """Whom the apiserver calls itself: kubelets, webhooks by their URLs, webhooks and servers behind Services."""

    kubelets: Kubelets
    web_client: WebClient
    dialer: ServiceDialer


def _make_peers(config: ApiserverConfig, process: Process, stored: _Stored) -> _Peers:
    kubelets = _kubelets(config, process, stored.lookup)
    tunnels = ServiceTunnels(kubelets, process.tasks.create_task)
    return _Peers(kubelets, WebClient(process.clock), ServiceDialer(stored.catalogue, stored.feed, tunnels))


def _kubelets(config: ApiserverConfig, process: Process, lookup: Lookup) -> Kubelets:
    return Kubelets(
        lookup,
        ClientTls(config.ca_file, config.kubelet_cert_file, config.kubelet_key_file),
        process.clock,
        seam=lambda channel, node: through(
            channel, process.seam, Ends(process.name, f"kubelet@{node}", "node")
        ),
    )


def _make_definitions(process: Process, stored: _Stored, peers: _Peers) -> ServedDefinitions:
    """Have custom resources served as soon as their definitions are there."""
    converters = converter_of(peers.web_client, peers.dialer)
    seams = Seams(partial(writes.read_metadata, stored.schemas), compile_rule, converters)
    definitions = ServedDefinitions(stored.catalogue, seams, process.log)
    stored.feed.cache(served.CUSTOM_RESOURCE_DEFINITIONS).follow(definitions)
    return definitions


class _AdmissionParts(NamedTuple):
    """What every write passes on its way to the store."""

    configured: Admission
    metrics: AdmissionMetrics
    chain: Chain
    dynamic: DynamicAdmission


def _make_admission(
    config: ApiserverConfig, process: Process, stored: _Stored, guards: _Guards, peers: _Peers
) -> _AdmissionParts:
    configured, metrics = guards.access.admission(), AdmissionMetrics(process.metrics, process.clock)
    on = chosen(config.enable_admission_plugins, config.disable_admission_plugins)
    chain = make_chain(on, metrics, configured.plugins)

    def stages() -> Stages:
        from apiserver.admission.build import build_stages  # where there are policies or webhooks

        return build_stages(
            stored.catalogue,
            stored.feed,
            stored.storage,
            stored.schemas,
            guards.gate.authorize,
            chain.later,
            client=peers.web_client,
            dialer=peers.dialer,
            clock=process.clock,
            log=process.log,
            metrics=process.metrics,
            meter=metrics,
            as_whom=configured.as_whom,
        )

    dynamic = DynamicAdmission(stored.catalogue, stored.feed, chain.later, stages)
    return _AdmissionParts(configured, metrics, chain, dynamic)


def _make_allocator(
    config: ApiserverConfig, process: Process, stored: _Stored, rng: random.Random
) -> Allocator:
    return Allocator(
        stored.storage,
        services.STORAGE_PREFIX,
        config.service_cidr,
        process.clock,
        rng=rng,
        log=process.log,
        cidrs=cidrs_of(stored.feed),
    )


class _Answers(NamedTuple):
    """Who answers for what is not stored, or not as it is sent."""

    handlers: Handlers
    listers: Listers


def _make_answers(
    process: Process, stored: _Stored, guards: _Guards, peers: _Peers, registry: Callable[[], Registry]
) -> _Answers:
    clock = process.clock
    usages = NodeUsages(peers.kubelets, process.tasks.create_task, clock, process.log)
    metrics = resource_metrics.ResourceMetrics(stored.catalogue, stored.reads, usages, clock)
    leases = KINDS[served.LEASES.group, served.LEASES.plural]
    statuses = ComponentStatuses(stored.storage, stored.reads, leases, clock)
    handlers: Handlers = {
        **review_handlers(guards.gate, guards.authenticator, schemas.load),
        **token_handlers(stored.lookup, guards.token_key, clock, schemas.load),
        **binding_handlers(registry, schemas.load),
        **metrics.handlers(),
        ("", served.COMPONENT_STATUSES.plural, "", "get"): statuses.get,
    }
    return _Answers(handlers, {("", served.COMPONENT_STATUSES.plural): statuses.list, **metrics.listers()})


class _Writing(NamedTuple):
    """The way of each write, who takes it first, and what it waits for."""

    write_record: WriteRecord
    registry: Registry
    bootstrap: Bootstrap
    flow: FlowControl


def _make_writing(
    config: ApiserverConfig,
    process: Process,
    stored: _Stored,
    guards: _Guards,
    peers: _Peers,
    admission: _AdmissionParts,
    allocator: Allocator,
    chance: _Chance,
) -> _Writing:
    namespaces = MissingNamespaces(lambda name: bootstrap.create(core_bootstrap.namespace(name)))
    parts = Parts(
        stored.catalogue,
        stored.storage,
        stored.feed,
        stored.schemas,
        process.clock,
        WriteRecord(process.clock, process.log),
        {served.SERVICES.group_resource: allocator},
        settings=admission.configured.settings,
        guard=guards.gate,
        uids=chance.values,
        letters=chance.letters,
        chain=admission.chain,
        dynamic=admission.dynamic,
        admission_metrics=admission.metrics,
        image_policy=admission.configured.image_policy,
        missing_namespaces=namespaces if admission.chain.provides_namespaces else None,
    )
    answers = _make_answers(process, stored, guards, peers, lambda: registry)
    flow = FlowControl(config.max_requests_inflight, process.metrics, process.clock)
    registry = guards.makers.registry(
        parts, stored.reads, stored.opening, answers.handlers, process.metrics, flow, answers.listers
    )
    bootstrap = Bootstrap(stored.catalogue, registry, stored.feed, process.log)
    return _Writing(parts.write_record, registry, bootstrap, flow)


def _make_aggregation(
    config: ApiserverConfig, process: Process, stored: _Stored, peers: _Peers, registry: Registry
) -> Aggregation:
    return build_aggregation(
        config.front_proxy_files,
        stored.catalogue,
        registry,
        stored.feed,
        peers.dialer,
        process.metrics,
        process.clock,
        process.log,
    )


def _make_upkeep(
    process: Process, stored: _Stored, definitions: ServedDefinitions, registry: Registry
) -> Upkeep:
    return Upkeep(
        served.CUSTOM_RESOURCE_DEFINITIONS,
        definitions,
        registry,
        stored.storage,
        stored.feed,
        process.clock,
        process.log,
    )


def _make_presence(
    config: ApiserverConfig, process: Process, stored: _Stored, allocator: Allocator, bootstrap: Bootstrap
) -> Presence:
    """Return what tells the other apiservers, and pods, where this one is."""
    own = Addresses(allocator.range.first, config.advertise_address, config.rest_port, config.service_ranges)
    return Presence(stored.storage, stored.feed, bootstrap, own, process.log)


def _watch_over(process: Process, stored: _Stored, aggregation: Aggregation) -> None:
    """Say in the process' health and metrics how the store and the caches are."""
    feed, storage = stored.feed, stored.storage
    process.health.add_check("etcd", lambda: feed.problem or storage.problem)
    process.health.add_check("informer-sync", lambda: "" if feed.ready else "the caches are not filled yet")
    process.health.add_check("autoregister-completion", aggregation.registration.problem)
    process.metrics.add(StorageMetrics(storage, feed, stored.catalogue))

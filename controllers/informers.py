"""The informers that all controllers share, and what is remembered of their changes.

They run from the start of the process, also while another one leads: a new leader decides from warm caches, and
has seen the nodes' heartbeats all along.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial as bind
from typing import Any, Final, TypeAlias

from controllers import trim
from controllers.core.expectations import Place
from controllers.core.garbage import Graph, Item
from controllers.core.node_health import LEASE_NAMESPACE, Heartbeats, Throttle, Zones
from controllers.core.partial import Partial, partial
from controllers.core.serviceaccount import ROOT_CA
from controllers.core.taint_eviction import TaintAges
from controllers.core.workloads import DEPLOYMENTS, REPLICA_SETS, Deployment, ReplicaSet
from machinery.client.api import Api
from machinery.client.informer import Informer
from machinery.model import resources
from machinery.model.clock import Clock
from machinery.model.k8s.coordination_v1 import Lease
from machinery.model.k8s.core_v1 import ConfigMap, Namespace, Node, Pod, Service, ServiceAccount
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.log import EventLog
from machinery.model.owners import controller_of
from machinery.model.requests import EVERYTHING, EventType, Selection
from machinery.model.resources import Resource
from machinery.model.store import Change

AnyInformer: TypeAlias = Informer[Any]

BY_CONTROLLER: Final = "controller"  # index of pods: their controller's uid, or `orphans_of` their namespace
BY_NODE: Final = "node"
BY_SERVICE: Final = "service"
_SERVICE_NAME: Final = "kubernetes.io/service-name"
_TYPED: Final = ("deployments.apps", "replicasets.apps")  # known to these controllers by types of their own
_METADATA_ONLY: Final = (
    resources.SECRETS,
    resources.CONFIG_MAPS,
    resources.ROLES,
    resources.ROLE_BINDINGS,
    resources.CLUSTER_ROLES,
    resources.CLUSTER_ROLE_BINDINGS,
)
KINDS: Final[tuple[Resource[Any], ...]] = (
    *(kind for kind in resources.ALL if str(kind) not in _TYPED),
    DEPLOYMENTS,
    REPLICA_SETS,
)


def orphans_of(namespace: str) -> str:
    """Name the index entry of a namespace's pods that nobody controls."""
    return f"orphans/{namespace}"


def _by_controller(pod: Pod) -> Iterable[str]:
    controller = controller_of(pod.metadata)
    return (controller.uid if controller else orphans_of(pod.metadata.namespace),)


def _by_node(pod: Pod) -> Iterable[str]:
    return (pod.spec.nodeName,) if pod.spec.nodeName else ()


def _by_service(slice_: EndpointSlice) -> Iterable[str]:
    name = slice_.metadata.labels.get(_SERVICE_NAME)
    return (f"{slice_.metadata.namespace}/{name}",) if name else ()


class World:
    """What the controllers see and remember. Filled by the informers, read by the plans."""

    def __init__(self, api: Api, clock: Clock, log: EventLog, *, cluster_cidr: str, root_ca: str) -> None:
        self.clock = clock
        self.cluster_cidr = cluster_cidr
        self.root_ca = root_ca
        make = bind(Informer, api, clock=clock, log=log)
        self.deployments: Informer[Deployment] = make(DEPLOYMENTS)
        self.replica_sets: Informer[ReplicaSet] = make(REPLICA_SETS)
        self.pods: Informer[Pod] = make(
            resources.PODS,
            keep=trim.keep_pod,
            indexers={BY_CONTROLLER: _by_controller, BY_NODE: _by_node},
        )
        self.services: Informer[Service] = make(resources.SERVICES)
        self.slices: Informer[EndpointSlice] = make(
            resources.ENDPOINT_SLICES, indexers={BY_SERVICE: _by_service}
        )
        self.nodes: Informer[Node] = make(resources.NODES, keep=trim.keep_node)
        self.leases: Informer[Lease] = make(resources.LEASES, keep=trim.keep_lease)
        self.namespaces: Informer[Namespace] = make(resources.NAMESPACES, keep=trim.keep_namespace)
        self.accounts: Informer[ServiceAccount] = make(resources.SERVICE_ACCOUNTS, keep=trim.keep_account)
        self.root_cas: Informer[ConfigMap] = make(
            resources.CONFIG_MAPS, Selection(field_selector=f"metadata.name={ROOT_CA}")
        )
        self.others: list[Informer[Partial]] = [
            make(partial(kind), EVERYTHING, keep=trim.keep_partial) for kind in _METADATA_ONLY
        ]
        self.heartbeats = Heartbeats()
        self.zones = Zones()
        self.throttle = Throttle()
        self.taint_ages = TaintAges()
        self.missing_nodes: dict[str, float] = {}
        self.announced: set[str] = set()  # uids of nodes whose arrival has been told
        self.graph = Graph(KINDS)
        self.by_resource = {str(informer.resource): informer for informer in self.owners}
        self._remember()

    @property
    def owners(self) -> list[AnyInformer]:
        """Give one informer of every kind that may own or be owned."""
        return [
            self.deployments,
            self.replica_sets,
            self.pods,
            self.services,
            self.slices,
            self.nodes,
            self.leases,
            self.namespaces,
            self.accounts,
            *self.others,
        ]

    @property
    def informers(self) -> list[AnyInformer]:
        """Give all of them."""
        return [*self.owners, self.root_cas]

    async def synced(self) -> None:
        """Wait until every informer has its first list."""
        await asyncio.gather(*(informer.synced() for informer in self.informers))

    def look(self, place: Place) -> ObjectMeta | None:
        """Give an object's metadata, as the cache has it."""
        resource, namespace, name = place
        found = self.by_resource[resource].store.get(namespace, name)
        return found.metadata if found is not None else None

    def _remember(self) -> None:
        for informer in self.owners:
            informer.subscribe(bind(self._note_owner, informer.resource))
        self.nodes.subscribe(self._note_node)
        self.leases.subscribe(self._note_lease)

    def _note_owner(self, resource: Resource[Any], change: Change[Any]) -> None:
        if change.kind is EventType.DELETED:
            self.graph.drop(change.object.metadata.uid)
        else:
            self.graph.put(Item(resource, change.object.metadata))

    def _note_node(self, change: Change[Node]) -> None:
        node = change.object
        if change.kind is not EventType.DELETED:
            self.heartbeats.saw_node(node, self.clock.monotonic())
            return
        self.heartbeats.forget(node.metadata.name)
        self.taint_ages.forget(node.metadata.uid)
        self.announced.discard(node.metadata.uid)

    def _note_lease(self, change: Change[Lease]) -> None:
        lease = change.object
        if lease.metadata.namespace == LEASE_NAMESPACE and change.kind is not EventType.DELETED:
            self.heartbeats.saw_lease(lease, self.clock.monotonic())

"""What the service-LB controller watches, remembers and looks at."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from controllers.core.address_pool import Choice, Pools, choose, parse_pools
from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.keys import key_of
from controllers.core.moment import Moment
from controllers.core.nodes import is_node_ready
from controllers.core.services import BY_SERVICE, by_service
from controllers.service_lb.plan import Given, Seen, plan
from machinery.model.endpoints import SERVICE_NAME, address_types
from machinery.model.k8s.core_v1 import Node, Service
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.load_balancers import ANNOUNCER, EXCLUDED, FINALIZER, addresses, is_ours
from machinery.model.resources import ENDPOINT_SLICES, NODES, SERVICES
from machinery.model.store import Change

BY_ANNOUNCER: Final = "announcer"  # index of load balancers: the node that answers, "-" where none does
BY_ADDRESS: Final = (
    "balancer-address"  # index of Services: the addresses of their load balancers, "-" for one without
)
_NONE: Final = "-"


def build(caches: Caches, settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    pools = parse_pools(settings.load_balancer_pool) if settings.load_balancer_pool else None
    reader = Reader(caches, pools)
    return Controller(
        "service-lb-controller",
        (
            Watched(reader.services, reader.itself_and_waiting),
            Watched(reader.slices, reader.local_service),
            Watched(reader.nodes, reader.announced),
        ),
        reader.look,
        plan,
        writes=frozenset({"patch services", "patch services/status"}),
        remember=reader.remember,
    )


class Reader:
    """Reads the caches, and remembers which addresses were given that they do not show yet."""

    def __init__(self, caches: Caches, pools: Pools | None) -> None:
        self.services = caches.ask(
            SERVICES, indexes={BY_ANNOUNCER: by_announcer, BY_ADDRESS: self._by_address}
        )
        self.slices = caches.ask(ENDPOINT_SLICES, indexes={BY_SERVICE: by_service})
        self.nodes = caches.ask(NODES, fields=("metadata.labels", "status.conditions"))
        self._pools = pools
        self._given: dict[Key, str] = {}

    def look(self, key: Key, _moment: Moment) -> Seen | None:
        """Return a Service, with the address that it may have and the node that is to answer for it."""
        service = self.services.store.get(*key)
        if service is None:
            self._given.pop(key, None)
            return None
        if (given := self._given.get(key)) and self._has(service) == [given]:
            del self._given[key]
        if not is_ours(service) or service.metadata.deletionTimestamp:
            return Seen(service)
        if self._pools is None:
            return None
        choice, families = self._choice(self._pools, service), address_types(service)
        shown = self._pools.of_families(choice.address, families) if choice.address else ()
        if choice.address and not shown:
            choice = Choice(problem=f"there is no pool of {' or '.join(families)} addresses")
        return Seen(service, choice, self._announcer(service), shown)

    def _has(self, service: Service) -> list[str]:
        """Return what a Service's addresses are called by, each once."""
        called = self._pools.called if self._pools else str
        return [*dict.fromkeys(map(called, addresses(service)))]

    def _by_address(self, service: Service) -> Iterable[str]:
        """Index Services by the addresses of their load balancers."""
        return self._has(service) or ((_NONE,) if is_ours(service) else ())

    def remember(self, given: Given) -> None:
        """Remember an address until the cache shows it."""
        key = (given.namespace, given.name)
        if given.address:
            self._given[key] = given.address
        else:
            self._given.pop(key, None)

    def itself_and_waiting(self, change: Change[Service]) -> Iterable[Key]:
        """Return a Service that has or had to do with load balancers, and those that wait for an address where one is free."""
        states = [state for state in (change.old, change.new) if state is not None]
        if not any(is_ours(state) or FINALIZER in state.metadata.finalizers for state in states):
            return ()
        key = key_of(change.object.metadata)
        had, has = ([] if state is None else addresses(state) for state in (change.old, change.new))
        waiting = self.services.store.by_index(BY_ADDRESS, _NONE) if had and had != has else ()
        return dict.fromkeys((key, *(key_of(each.metadata) for each in waiting)))

    def local_service(self, change: Change[EndpointSlice]) -> Iterable[Key]:
        """Return the load balancer of a slice that has to be where its endpoints are."""
        for state in (change.old, change.new):
            name = state.metadata.labels.get(SERVICE_NAME) if state is not None else None
            if state is None or not name:
                continue
            service = self.services.store.get(state.metadata.namespace, name)
            if service and is_ours(service) and service.spec.externalTrafficPolicy == "Local":
                yield state.metadata.namespace, name

    def announced(self, change: Change[Node]) -> Iterable[Key]:
        """Return the load balancers that a node answers for, and those that nobody does, where it comes, goes or changes."""
        old, new = change.old, change.new
        if old is not None and new is not None and _is_fit(old) == _is_fit(new):
            return ()
        store = self.services.store
        found = (store.by_index(BY_ANNOUNCER, name) for name in (change.object.metadata.name, _NONE))
        return dict.fromkeys(key_of(service.metadata) for services in found for service in services)

    def _choice(self, pools: Pools, service: Service) -> Choice:
        own, rank = key_of(service.metadata), _rank(service)

        def is_taken(address: str) -> bool:
            holders = self.services.store.by_index(BY_ADDRESS, address)
            given = any(key != own and it == address for key, it in self._given.items())
            return given or any(key_of(each.metadata) != own and _rank(each) < rank for each in holders)

        def is_held(address: str) -> bool:
            return is_taken(address) or any(
                key_of(each.metadata) != own for each in self.services.store.by_index(BY_ADDRESS, address)
            )

        has = self._given.get(own) or next(iter(self._has(service)), "")
        wanted = pools.called(service.spec.loadBalancerIP)
        lot = int.from_bytes(_lot(service, "")[:8])
        return choose(pools.first, wanted, has, lambda it: is_taken(it) if it == has else is_held(it), lot)

    def _announcer(self, service: Service) -> str:
        """Return the node that answers, as long as it can; else one of those that can, by lot, each Service by its own."""
        has = service.metadata.annotations.get(ANNOUNCER, "")
        is_local = service.spec.externalTrafficPolicy == "Local"
        with_endpoints = self._nodes_of(service) if is_local else frozenset()
        node = self.nodes.store.get("", has) if has else None
        if node and _is_fit(node) and (has in with_endpoints or not with_endpoints):
            return has
        fit = [each.metadata.name for each in self.nodes.store if _is_fit(each)]
        best = [name for name in fit if name in with_endpoints] or fit
        return max(best, key=lambda name: _lot(service, name), default="")

    def _nodes_of(self, service: Service) -> frozenset[str]:
        """Return the nodes with ready endpoints."""
        namespace, name = key_of(service.metadata)
        return frozenset(
            endpoint.nodeName
            for slice_ in self.slices.store.by_index(BY_SERVICE, f"{namespace}/{name}")
            for endpoint in slice_.endpoints
            if endpoint.nodeName and (endpoint.conditions is None or endpoint.conditions.ready is not False)
        )


def by_announcer(service: Service) -> Iterable[str]:
    """Index load balancers by the node that answers for them."""
    return (service.metadata.annotations.get(ANNOUNCER) or _NONE,) if is_ours(service) else ()


def _is_fit(node: Node) -> bool:
    return is_node_ready(node) and EXCLUDED not in node.metadata.labels


def _rank(service: Service) -> tuple[str, str, str]:
    """Return who has more right to an address that two have: the older one."""
    meta = service.metadata
    return meta.creationTimestamp or "", meta.namespace, meta.name


def _lot(service: Service, node: str) -> bytes:
    return sha256(f"{service.metadata.uid}/{node}".encode()).digest()

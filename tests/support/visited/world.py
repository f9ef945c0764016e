"""All controllers over their caches, and how much they do for an event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import msgspec

from controllers.core.actions import Census, Documents, Facts, Lookup, Need
from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Noted, Settings, Watched
from controllers.core.kinds import KINDS
from controllers.core.moment import Moment
from controllers.informers import Informers
from controllers.table import CONTROLLERS
from machinery.client.api import Api
from machinery.model.log import SILENT
from machinery.model.profile import intervals
from machinery.model.requests import EventType, WatchEvent
from machinery.model.store import Change
from tests.support.controllers import NOW_S
from tests.support.virtual_clock import VirtualClock
from tests.support.visited.cluster import (
    account,
    aggregated_role,
    certificate_request,
    cluster_role,
    definition,
    lease,
    namespace,
    node,
    policy,
    quota,
    root_ca,
    token_secret,
)
from tests.support.visited.objects import NEW, PODS_EACH, Json
from tests.support.visited.services import (
    balancer,
    endpoint_slice,
    endpoints,
    manual_endpoints,
    manual_service,
    service,
    service_cidr,
)
from tests.support.visited.storage import (
    attachment,
    claim,
    claim_template,
    device_claim,
    device_pod,
    driver,
    storage_class,
    volume,
)
from tests.support.visited.workloads import (
    autoscaler,
    budget,
    cron_job,
    daemon_set,
    deployment,
    job,
    pod,
    replica_set,
    replication_controller,
    revision,
    stateful_set,
)
from tests.support.visits import counted

Event: TypeAlias = Callable[["World"], None]


def one_of_each(index: int) -> Iterator[Json]:
    """Yield what there is of everything, once more."""
    yield from (quota(index), claim(index), volume(index), storage_class(index))
    yield from (driver(index), attachment(index))
    yield from (node(index), lease(index), namespace(index), account(index), root_ca(index))
    yield from (deployment(index), replica_set(index), service(index), endpoint_slice(index))
    yield from (stateful_set(index), revision(index), daemon_set(index), replication_controller(index))
    yield from (cron_job(index), job(index), autoscaler(index))
    yield from (pod(index, number) for number in range(PODS_EACH))
    yield pod(index, owned=False)
    yield from (cluster_role(index), aggregated_role(index), token_secret(index), certificate_request(index))
    yield from (definition(index), policy(index))
    yield from (claim_template(index), device_pod(index), device_claim(index))
    yield from (
        endpoints(index),
        manual_service(index),
        manual_endpoints(index),
        budget(index),
        service_cidr(index),
        balancer(index),
    )


class World:
    """All controllers over their caches, without anybody who executes their plans."""

    def __init__(self, count: int) -> None:
        caches = Caches()
        settings = Settings(
            intervals("default"),
            KINDS,
            cluster_cidr="10.0.0.0/8",
            load_balancer_pool="172.16.0.0/12",
            root_ca="PEM",
        )
        self.controllers = [build(caches, settings) for build in CONTROLLERS]
        self.informers = Informers(caches, Api(None), VirtualClock(), SILENT)  # type: ignore[arg-type]  # nothing is asked
        self._keys: dict[tuple[str, Key], Controller[Any]] = {}
        self._last: dict[tuple[str, str, str], Json] = {}
        self._revision = 1
        for controller in self.controllers:
            for noted in controller.notes:
                self.informers.subscribe(noted.source, _noting(noted))
        for controller in self.controllers:
            for watched in controller.watched:
                self.informers.subscribe(watched.source, self._queueing(controller, watched))
        for index in range(count):
            for obj in one_of_each(index):
                self.put(obj)
        self._keys.clear()
        self.work(_a_node_comes)  # the ranges that are taken are passed over once, for all that come

    def put(self, obj: Json) -> None:
        """Add or change an object."""
        self._revision += 1
        obj = obj | {"metadata": obj["metadata"] | {"resourceVersion": str(self._revision)}}
        kind = EventType.MODIFIED if _place(obj) in self._last else EventType.ADDED
        self._last[_place(obj)] = obj
        self._tell(kind, obj)

    def drop(self, obj: Json) -> None:
        """Remove an object."""
        self._tell(EventType.DELETED, self._last.pop(_place(obj)))

    def work(self, event: Event) -> int:
        """Return how much all controllers do for an event; what it changed is put back afterwards."""
        before = dict(self._last)
        with counted() as work:
            event(self)
            self.reconcile()
        for place, obj in [*self._last.items()]:
            if place not in before:
                self.drop(obj)
        for place, obj in before.items():
            if self._last.get(place) is not obj:
                self.put(obj)
        self._keys.clear()
        return work.total

    def reconcile(self) -> None:
        """Plan for every key that waits; what is asked live is as the caches have it."""
        for (_, key), controller in self._keys.items():
            seen = controller.look(key, Moment(NOW_S, monotonic_s=NOW_S))
            if seen is not None:
                made = controller.plan(seen, Moment(NOW_S), Facts())
                controller.plan(seen, Moment(NOW_S), self._answers(made.needs))

    @property
    def waiting(self) -> set[tuple[str, Key]]:
        """The keys that wait, with their controllers' names."""
        return set(self._keys)

    def _answers(self, needs: tuple[Need, ...]) -> Facts:
        lookups = {each: self._find(each) for each in needs if isinstance(each, Lookup)}
        counted = {each: () for each in needs if isinstance(each, Census)}
        return Facts(lookups, counted, {each: () for each in needs if isinstance(each, Documents)})

    def _find(self, lookup: Lookup) -> Any:
        return self.informers.find((str(lookup.resource), lookup.namespace, lookup.name))

    def _tell(self, kind: EventType, obj: Json) -> None:
        raw = msgspec.json.encode(obj)
        for informer in self.informers:
            if (informer.resource.kind, informer.resource.group) == (obj["kind"], _group(obj)):
                found = msgspec.json.decode(raw, type=informer.resource.type)
                informer.apply(WatchEvent(kind, self._revision, found))

    def _queueing(self, controller: Controller[Any], watched: Watched[Any]) -> Callable[[Change[Any]], None]:
        def queue(change: Change[Any]) -> None:
            self._keys.update(((controller.name, key), controller) for key in watched.keys(change))

        return queue


def _noting(noted: Noted[Any]) -> Callable[[Change[Any]], None]:
    return lambda change: noted.note(change, NOW_S)


def _group(obj: Json) -> str:
    group, slash, _ = obj["apiVersion"].partition("/")
    return group if slash else ""


def _place(obj: Json) -> tuple[str, str, str]:
    return obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _a_node_comes(world: World) -> None:
    world.put(node(NEW, podCIDR="", podCIDRs=[]))

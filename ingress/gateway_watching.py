"""The Gateway API's kinds, which a cluster may have or not: they are looked for, and watched when they come.

A cluster without them costs one request now and then. Where they are deleted again, their objects have gone before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from ingress.core.gateway.objects import (
    GATEWAY_CLASSES,
    GATEWAYS,
    GROUP,
    GRPC_ROUTES,
    HTTP_ROUTES,
    REFERENCE_GRANTS,
    Gateway,
    GatewayClass,
    GRPCRoute,
    HTTPRoute,
    ReferenceGrant,
)
from ingress.core.gateway.planning import GatewayView
from machinery.client.api import Api
from machinery.client.informer import Informer
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, NotFound
from machinery.model.fields import trimmer
from machinery.model.k8s.core_v1 import Namespace, Secret, Service
from machinery.model.log import EventLog
from machinery.model.resources import NAMESPACES, Resource
from machinery.model.store import Change, Store

LOOK_S: Final = 5.0  # wall seconds between two looks for kinds that are not there
_BEGIN_S: Final = 10.0  # wall seconds that the first configuration waits for those that are
_FIELDS: Final = ("metadata.creationTimestamp", "metadata.generation", "spec", "status")

OnObject = Callable[[str, str, str], None]  # kind, namespace, name


class WatchedGateways:
    """What is known of Gateways."""

    def __init__(self, api: Api, clock: Clock, log: EventLog) -> None:
        self.classes: Store[GatewayClass] = Store()
        self.gateways: Store[Gateway] = Store()
        self.routes: Store[HTTPRoute] = Store()
        self.grpc_routes: Store[GRPCRoute] = Store()
        self.grants: Store[ReferenceGrant] = Store()
        self.namespaces: Store[Namespace] = Store()
        self._api = api
        self._clock = clock
        self._log = log
        self._missing: list[tuple[Resource[Any], Store[Any], tuple[str, ...]]] = [
            (GATEWAY_CLASSES, self.classes, _FIELDS),
            (GATEWAYS, self.gateways, _FIELDS),
            (HTTP_ROUTES, self.routes, _FIELDS),
            (GRPC_ROUTES, self.grpc_routes, _FIELDS),
            (REFERENCE_GRANTS, self.grants, ("metadata.generation", "spec")),
        ]
        self._informers: list[Informer[Any]] = []
        self._listeners: list[Callable[[Change[Any]], None]] = []
        self._on_known: list[Callable[[], None]] = []

    def view(self, secrets: Store[Secret], services: Store[Service], namespace: str) -> GatewayView:
        """Return what is known at any time, for the plan; `namespace` is that of the Gateways' Services."""
        return GatewayView(
            self.classes,
            self.gateways,
            self.routes,
            self.grpc_routes,
            self.grants,
            self._labels_of,
            secrets.get,
            services.get,
            namespace,
            self._is_known,
        )

    async def begin(self, tasks: asyncio.TaskGroup) -> None:
        """Watch the kinds that there are, wait until their objects are known, and go on to look for the others."""
        await self._look(tasks)
        try:
            async with self._clock.timeout_wall(_BEGIN_S):
                for informer in self._informers:
                    await informer.synced()
        except TimeoutError:
            self._log.warning("gateways_unknown", waited_s=_BEGIN_S)
        tasks.create_task(self._look_on(tasks), name="gateway-kinds")

    def tell(self, on_object: OnObject, on_rules: Callable[[], None]) -> None:
        """Pass on every change from now on that may lead to another plan; statuses do not."""

        def on_change(change: Change[Any]) -> None:
            old, new = change.old, change.new
            if old is None or new is None or _says(old) != _says(new):
                on_object(change.object.kind, change.object.metadata.namespace, change.object.metadata.name)
                on_rules()

        self.subscribe(on_change)
        self._on_known.append(on_rules)

    def subscribe(self, listener: Callable[[Change[Any]], None]) -> None:
        """Call for every change from now on, whatever it is of."""
        self._listeners.append(listener)

    async def _look_on(self, tasks: asyncio.TaskGroup) -> None:
        while self._missing:
            await self._clock.sleep_wall(LOOK_S)
            await self._look(tasks)

    async def _look(self, tasks: asyncio.TaskGroup) -> None:
        """Begin to watch those of the missing kinds that are served now."""
        served = {version: await self._served(version) for version in ("v1", "v1beta1")}
        for each in list(self._missing):
            resource, store, fields = each
            versions = [version for version, plurals in served.items() if resource.plural in plurals]
            if versions:
                version = resource.version if resource.version in versions else versions[0]
                self._missing.remove(each)
                self._watch(tasks, _at(resource, version), store, fields)
        if self._informers and self._informers[0].resource is not NAMESPACES:
            self._watch(tasks, NAMESPACES, self.namespaces, ("metadata.labels",), first=True)

    async def _served(self, version: str) -> Sequence[str]:
        try:
            return [each.name for each in await self._api.discover(GROUP, version)]
        except NotFound:
            return ()
        except ApiError as error:
            self._log.warning("gateway_kinds_unknown", error=error)
            return ()

    def _watch(
        self,
        tasks: asyncio.TaskGroup,
        resource: Resource[Any],
        store: Store[Any],
        fields: Sequence[str],
        *,
        first: bool = False,
    ) -> None:
        keep = trimmer(resource.type, fields)
        informer = Informer(self._api, resource, clock=self._clock, store=store, keep=keep, log=self._log)
        informer.subscribe(self._tell)
        self._informers.insert(0 if first else len(self._informers), informer)
        tasks.create_task(informer.run(), name=f"informer-{resource.plural}")
        tasks.create_task(self._tell_of(informer), name=f"known-{resource.plural}")

    async def _tell_of(self, informer: Informer[Any]) -> None:
        """Say when a kind is known: there may be no object of it, whose first sight would say so."""
        await informer.synced()
        for on_known in self._on_known:
            on_known()

    def _tell(self, change: Change[Any]) -> None:
        for listener in self._listeners:
            listener(change)

    def _is_known(self) -> bool:
        missing = {resource.plural for resource, _, _ in self._missing}
        return missing <= {REFERENCE_GRANTS.plural, GRPC_ROUTES.plural} and all(
            each.revision for each in self._informers
        )

    def _labels_of(self, namespace: str) -> dict[str, str]:
        found = self.namespaces.get("", namespace)
        return found.metadata.labels if found is not None else {}


def _at(resource: Resource[Any], version: str) -> Resource[Any]:
    return Resource(
        resource.group, version, resource.plural, resource.kind, resource.namespaced, resource.type
    )


def _says(obj: Any) -> tuple[object, ...]:
    meta = obj.metadata
    return getattr(obj, "spec", None), meta.labels, meta.uid, meta.generation

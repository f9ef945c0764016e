"""What is watched, and what of it a change concerns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

from ingress.core.certificates import TYPE
from ingress.core.parameters import SettingsView, are_settings
from ingress.core.planning import View
from ingress.gateway_watching import WatchedGateways
from ingress.syncer import Syncer
from machinery.client.api import Api
from machinery.client.informer import Informer
from machinery.model.clock import Clock
from machinery.model.endpoints import SERVICE_NAME
from machinery.model.fields import trimmer
from machinery.model.k8s.core_v1 import ConfigMap, Secret, Service
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.k8s.networking_v1 import Ingress, IngressClass
from machinery.model.log import EventLog
from machinery.model.requests import Selection
from machinery.model.resources import (
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    INGRESS_CLASSES,
    INGRESSES,
    SECRETS,
    SERVICES,
)
from machinery.model.store import Change

_BY_SERVICE: Final = "service"
_INGRESS_FIELDS: Final = ("metadata.annotations", "metadata.creationTimestamp", "spec", "status")
_SERVICE_FIELDS: Final = (
    "metadata.labels",
    "spec.clusterIP",
    "spec.clusterIPs",
    "spec.externalIPs",
    "spec.externalTrafficPolicy",
    "spec.ipFamilies",
    "spec.ipFamilyPolicy",
    "spec.loadBalancerIP",
    "spec.ports",
    "spec.selector",
    "spec.type",
    "status.loadBalancer.ingress",
)
_SLICE_FIELDS: Final = ("addressType", "endpoints", "metadata.labels", "ports")
_SECRET_FIELDS: Final = ("data",)
_SETTINGS_S: Final = 10.0  # wall seconds that the first configuration waits for the settings of classes


class Watched:
    """The informers."""

    def __init__(self, api: Api, clock: Clock, log: EventLog, published: str = "") -> None:
        """Make them; `published` is namespace/name of the Service that Gateways' Services stand beside."""
        self.gateways = WatchedGateways(api, clock, log)
        self._namespace = published.partition("/")[0]
        self._clock = clock
        self._are_settings_watched = False
        self._on_known: list[Callable[[], None]] = []
        self.ingresses: Informer[Ingress] = Informer(
            api, INGRESSES, clock=clock, keep=trimmer(Ingress, _INGRESS_FIELDS), log=log
        )
        self.classes: Informer[IngressClass] = Informer(api, INGRESS_CLASSES, clock=clock, log=log)
        self.services: Informer[Service] = Informer(
            api, SERVICES, clock=clock, keep=trimmer(Service, _SERVICE_FIELDS), log=log
        )
        self.slices: Informer[EndpointSlice] = Informer(
            api,
            ENDPOINT_SLICES,
            clock=clock,
            indexers={_BY_SERVICE: _service_of},
            keep=trimmer(EndpointSlice, _SLICE_FIELDS),
            log=log,
        )
        certificates = Selection(field_selector=f"type={TYPE}")
        self.secrets: Informer[Secret] = Informer(
            api, SECRETS, certificates, clock=clock, keep=trimmer(Secret, _SECRET_FIELDS), log=log
        )

        own = Selection(namespace=self._namespace)
        self.settings: Informer[ConfigMap] = Informer(
            api, CONFIG_MAPS, own, clock=clock, keep=trimmer(ConfigMap, ("data",)), log=log
        )

    @property
    def view(self) -> View:
        """What is known now, for the plan."""
        classes = self.classes.store
        return View(
            self.ingresses.store,
            lambda name: classes.get("", name),
            self.secrets.store.get,
            self.services.store.get,
            self.gateways.view(self.secrets.store, self.services.store, self._namespace),
            SettingsView(
                self._namespace,
                lambda name: self.settings.store.get(self._namespace, name),
                lambda: bool(self.settings.revision),
            ),
        )

    def slices_of(self, namespace: str, name: str) -> list[EndpointSlice]:
        """Return the slices of a Service."""
        return self.slices.store.by_index(_BY_SERVICE, f"{namespace}/{name}")

    async def begin(self, tasks: asyncio.TaskGroup) -> None:
        """Watch, and wait until everything is known."""
        for informer in self._all():
            tasks.create_task(informer.run(), name=f"informer-{informer.resource.plural}")
        for informer in self._all():
            await informer.synced()
        self._watch_settings(tasks)
        self.classes.subscribe(lambda _change: self._watch_settings(tasks))
        if self._are_settings_watched:
            with suppress(TimeoutError):
                async with self._clock.timeout_wall(_SETTINGS_S):
                    await self.settings.synced()
        await self.gateways.begin(tasks)

    def _watch_settings(self, tasks: asyncio.TaskGroup) -> None:
        """Watch ConfigMaps as soon as a class has parameters; before that, nobody needs the right to."""
        if (
            self._are_settings_watched
            or not self._namespace
            or not any(map(are_settings, self.classes.store))
        ):
            return
        self._are_settings_watched = True
        tasks.create_task(self.settings.run(), name="informer-configmaps")
        tasks.create_task(self._tell_of_settings(), name="known-configmaps")

    async def _tell_of_settings(self) -> None:
        """Say when they are known: there may be none, whose first sight would say so."""
        await self.settings.synced()
        for on_known in self._on_known:
            on_known()

    def tell(self, syncer: Syncer) -> None:
        """Pass every change from now on to the syncer, except for those that change nothing for it."""

        def on_ingress(change: Change[Ingress]) -> None:
            old, new = change.old, change.new
            if old is None or new is None or _says(old) != _says(new):
                meta = change.object.metadata
                syncer.on_object("Ingress", meta.namespace, meta.name)
                syncer.on_rules()

        def on_endpoints(change: Change[EndpointSlice]) -> None:
            for state in (change.old, change.new):
                if state is not None and (name := state.metadata.labels.get(SERVICE_NAME)):
                    syncer.on_endpoints(state.metadata.namespace, name)

        self.gateways.tell(syncer.on_object, syncer.on_rules)
        self.ingresses.subscribe(on_ingress)
        self.classes.subscribe(lambda _change: syncer.on_rules())
        self.services.subscribe(lambda change: syncer.on_service(*_place(change)))
        self.secrets.subscribe(lambda change: syncer.on_secret(*_place(change)))
        self.slices.subscribe(on_endpoints)
        self.settings.subscribe(lambda _change: syncer.on_rules())
        self._on_known.append(syncer.on_rules)

    def _all(self) -> Iterator[Informer[Any]]:
        yield from (self.ingresses, self.classes, self.services, self.slices, self.secrets)


def _service_of(slice_: EndpointSlice) -> tuple[str, ...]:
    name = slice_.metadata.labels.get(SERVICE_NAME)
    return (f"{slice_.metadata.namespace}/{name}",) if name else ()


def _says(ingress: Ingress) -> tuple[object, ...]:
    return ingress.spec, ingress.metadata.annotations, ingress.metadata.uid


def _place(change: Change[Any]) -> tuple[str, str]:
    meta = change.object.metadata
    return meta.namespace, meta.name

"""Where each publication leads at present: by the Services and nodes that the informers have."""

from __future__ import annotations

import asyncio
from typing import Final

from kubarium.core.publications import Publication, Ways, keys_of, oldest, ports_of, ways_to
from machinery.client.api import Api
from machinery.client.informer import Informer
from machinery.model.clock import Clock
from machinery.model.fields import trimmer
from machinery.model.k8s.core_v1 import Node, Service
from machinery.model.log import SILENT, EventLog
from machinery.model.resources import NODES, SERVICES

_BY_PORT: Final = "port"
_SERVICE_FIELDS: Final = (
    "metadata.creationTimestamp",
    "spec.clusterIP",
    "spec.ports",
    "spec.type",
    "status.loadBalancer",
)
_NODE_FIELDS: Final = ("status.addresses", "status.conditions")


class Wayfinder:
    """Knows Services and nodes from `run` on; before that there is no way to any."""

    def __init__(self, api: Api, *, enters_nodes: bool, clock: Clock, log: EventLog = SILENT) -> None:
        self.services: Informer[Service] = Informer(
            api,
            SERVICES,
            clock=clock,
            indexers={_BY_PORT: ports_of},
            keep=trimmer(Service, _SERVICE_FIELDS),
            log=log,
        )
        self._nodes: Informer[Node] = Informer(
            api, NODES, clock=clock, keep=trimmer(Node, _NODE_FIELDS), log=log
        )
        self._enters_nodes = enters_nodes

    async def run(self) -> None:
        """Follow the cluster until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for informer in (self.services, self._nodes):
                tasks.create_task(informer.run(), name=f"informer-{informer.resource.plural}")

    async def synced(self) -> None:
        """Wait until both are known."""
        await self.services.synced()
        await self._nodes.synced()

    def ways(self, publication: Publication) -> Ways:
        """Return where a publication leads now."""
        return ways_to(
            publication, self._service_of(publication), self._nodes.store, enters_nodes=self._enters_nodes
        )

    def _service_of(self, publication: Publication) -> Service | None:
        store, target = self.services.store, publication.target
        if target.service:
            return store.get(target.namespace, target.service)
        for key in keys_of(publication):
            if found := store.by_index(_BY_PORT, key):
                return oldest(found)
        return None

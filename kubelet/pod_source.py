"""The node's pods, as the API has them: those whose spec.nodeName is this node's name."""

from __future__ import annotations

from collections.abc import Callable

from machinery.client.api import Api, Selection
from machinery.client.informer import Change, Informer
from machinery.model.clock import Clock
from machinery.model.k8s.core_v1 import Pod
from machinery.model.log import SILENT, EventLog
from machinery.model.resources import PODS


class PodSource:
    """Follows the node's pods. A pod is gone only when the API says so: a broken watch says nothing."""

    def __init__(self, api: Api, node: str, clock: Clock, log: EventLog = SILENT) -> None:
        selection = Selection(field_selector=f"spec.nodeName={node}")
        self._informer: Informer[Pod] = Informer(api, PODS, selection, clock=clock, log=log)

    def subscribe(self, on_change: Callable[[Change[Pod]], None]) -> None:
        """Tell every change."""
        self._informer.subscribe(on_change)

    async def run(self) -> None:
        """Follow until cancelled."""
        await self._informer.run()

    async def synced(self) -> None:
        """Wait until the first list is there."""
        await self._informer.synced()

"""The node's pods, as the API has them: those whose spec.nodeName is this node's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from machinery.client.api import Api
from machinery.client.informer import Informer
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.insist import insist, tell_first
from machinery.model.k8s.core_v1 import Pod
from machinery.model.log import SILENT, EventLog
from machinery.model.requests import Selection
from machinery.model.resources import PODS
from machinery.model.store import Change

_RETRY: Final = Backoff(initial_s=0.1, cap_s=5.0)  # wall seconds


class PodSource:
    """Follows the node's pods. A pod is gone only when the API says so: a broken watch says nothing."""

    def __init__(self, api: Api, node: str, clock: Clock, log: EventLog = SILENT) -> None:
        self._api = api
        self._clock = clock
        self._log = log
        self._selection = Selection(field_selector=f"spec.nodeName={node}")
        self._informer: Informer[Pod] = Informer(api, PODS, self._selection, clock=clock, log=log)

    def subscribe(self, on_change: Callable[[Change[Pod]], None]) -> None:
        """Call a function with every change."""
        self._informer.subscribe(on_change)

    async def run(self) -> None:
        """Follow until cancelled."""
        await self._informer.run()

    async def synced(self) -> None:
        """Wait until the first list is there."""
        await self._informer.synced()

    async def is_gone(self, uid: str) -> bool:
        """Whether a pod of this node is not there any more, read from the API itself; asks until it answers.

        The first list may come from a cache that is older than the pod: nobody is stopped on its word alone. This
        list is read from the store. (A node may not ask for a pod by name that it does not have.)
        """
        told = tell_first(self._log.warning, "pod_not_confirmed", uid=uid)
        listing = await insist(lambda: self._api.list(PODS, self._selection), self._clock, _RETRY, told)
        return all(pod.metadata.uid != uid for pod in listing.items)

"""What an earlier leader has bound has to be counted before this one decides.

The store refuses whatever an earlier leader writes once this one leads, so a list that is made after that has all of its bindings.
Most of these pods have been seen by then: of each, no more is read than its revision, and nothing is kept.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from machinery.client.api import Api
from machinery.client.informer import Informer
from machinery.client.reflector import RETRY
from machinery.model.clock import Clock
from machinery.model.insist import insist, tell_first
from machinery.model.k8s import served
from machinery.model.k8s.core_v1 import Pod
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.log import EventLog
from machinery.model.requests import Selection, revision_of
from machinery.model.resources import resource_of


class PlacedPod(msgspec.Struct, frozen=True):
    """A pod that has a node, of which only who it is and its revision are of interest."""

    apiVersion: str = ""
    kind: str = ""
    metadata: ObjectMeta = ObjectMeta()


_PLACED_PODS: Final = resource_of(served.PODS, PlacedPod)
_BOUND: Final = Selection(field_selector="spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed")
_SEEN: Final = PlacedPod()


class Predecessor:
    """Compares what is bound with the pods that an informer has seen."""

    def __init__(self, pods: Informer[Pod], clock: Clock, log: EventLog) -> None:
        self._pods = pods
        self._clock = clock
        self._log = log
        self._changed = asyncio.Event()
        pods.subscribe(lambda _change: self._changed.set())

    async def caught_up(self, api: Api) -> None:
        """Wait until every pod that has a node by now has been seen on it."""
        told = tell_first(self._log.warning, "bound_pods_not_listed", every=20)
        listing = await insist(
            lambda: api.list(_PLACED_PODS, _BOUND, keep=self._unless_seen), self._clock, RETRY, told
        )
        unseen = [pod for pod in listing.items if pod is not _SEEN]
        while self._pods.revision < listing.revision and not all(map(self._has_seen, unseen)):
            self._changed.clear()
            await self._changed.wait()

    def _unless_seen(self, pod: PlacedPod) -> PlacedPod:
        """Return one and the same for all pods that have been seen: they are many."""
        return _SEEN if self._has_seen(pod) else pod

    def _has_seen(self, pod: PlacedPod) -> bool:
        known = self._pods.store.get(pod.metadata.namespace, pod.metadata.name)
        return known is not None and revision_of(known.metadata) >= revision_of(pod.metadata)

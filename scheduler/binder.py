"""From a decision to a bound pod: one request, which many bindings may share, whose outcome is always found out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from machinery.client.api import Api
from machinery.client.transport import ApiRequest
from machinery.client.write_batches import WriteBatches, line_of
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, Definite, NotFound, OutcomeUnknown
from machinery.model.insist import Failures, insist, tell_first
from machinery.model.k8s.core_v1 import Binding, ObjectReference, Pod
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.log import EventLog
from machinery.model.resources import PODS
from machinery.wire import objects
from scheduler.core.pod import PodInfo

_TOGETHER_AT_ONCE: Final = 2  # requests with bindings under way: what is decided meanwhile goes with the next
_RETRY: Final = Backoff(initial_s=0.1, cap_s=2.0)  # wall seconds between two looks at an unknown outcome


class Outcome(Enum):
    """How a binding ended."""

    BOUND = auto()
    ELSEWHERE = auto()  # somebody bound the pod to another node
    GONE = auto()
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class Result:
    """How a binding ended, and what the server said if it refused."""

    outcome: Outcome
    error: ApiError | None = None


class Binder:
    """Binds pods. The apiserver binds a pod once only, whoever asks how often; so asking again does no harm."""

    def __init__(self, api: Api, *, timeout_s: float, clock: Clock, log: EventLog) -> None:
        self._api = api
        self._timeout_s = timeout_s
        self._clock = clock
        self._log = log
        self._batches: WriteBatches | None = None

    def send_together(self, tasks: asyncio.TaskGroup) -> None:
        """Have bindings from now on share requests, which tasks of this group send."""
        self._batches = WriteBatches(self._api.transport, tasks, self._clock, at_once=_TOGETHER_AT_ONCE)

    async def bind(self, pod: PodInfo, node: str) -> Result:
        """Bind a pod to a node; returns when it is certain what became of it, however long that takes."""
        told = tell_first(self._log.warning, "binding_outcome_unknown", every=20, pod=pod.key, node=node)
        failures = Failures(self._clock, _RETRY, told)
        while True:
            try:
                await self._ask(pod, node)
            except Definite as error:
                return await self._after_refusal(pod, node, error)
            except OutcomeUnknown as error:
                failures.note(error)
            else:
                return Result(Outcome.BOUND)
            await failures.pause()
            if (result := outcome_of(await self.look(pod), pod, node)) is not None:
                return result

    async def look(self, pod: PodInfo) -> Pod | None:
        """Read the pod as it is now, None if it is gone; tries until somebody answers."""
        told = tell_first(self._log.warning, "pod_not_read", every=20, pod=pod.key)
        return await insist(lambda: self._get(pod), self._clock, _RETRY, told)

    async def _get(self, pod: PodInfo) -> Pod | None:
        try:
            return await self._api.get(PODS, pod.name, namespace=pod.namespace, timeout_s=self._timeout_s)
        except NotFound:
            return None

    async def _ask(self, pod: PodInfo, node: str) -> None:
        body = Binding(
            metadata=ObjectMeta(name=pod.name, namespace=pod.namespace, uid=pod.uid),
            target=ObjectReference(kind="Node", name=node),
        )
        request = ApiRequest("Create", PODS, pod.namespace, pod.name, "binding", body=objects.encode(body))
        if self._batches is None:
            await self._api.transport.call(request, self._timeout_s)
        else:
            await self._batches.call(line_of(request), request, self._timeout_s)

    async def _after_refusal(self, pod: PodInfo, node: str, error: Definite) -> Result:
        """Find out whether the refusal means that an earlier request of ours has come through."""
        if isinstance(error, NotFound):
            return Result(Outcome.GONE, error)
        return outcome_of(await self.look(pod), pod, node) or Result(Outcome.REFUSED, error)


def outcome_of(now: Pod | None, pod: PodInfo, node: str) -> Result | None:
    """Return how a binding ended, by the pod's present state; None if it is not bound."""
    if now is None or now.metadata.uid != pod.uid:
        return Result(Outcome.GONE)
    if not now.spec.nodeName:
        return None
    return Result(Outcome.BOUND if now.spec.nodeName == node else Outcome.ELSEWHERE)

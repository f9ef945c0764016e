"""Has dead containers removed that the node has no use for: now and then by its limits, and at once where it is short of disk.

Decided by `kubelet/core/pod_garbage.py` over the lives of all pods, and done by each pod's own worker, which never removes what runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from kubelet.core.actions import Verb
from kubelet.core.life import Life
from kubelet.core.pod_garbage import ContainerLimits, plan_collection
from machinery.model.clock import Clock
from machinery.model.log import EventLog

_LONGEST_S: Final = 120.0  # cluster seconds that a removal is waited for
_LOOK_S: Final = 0.5  # cluster seconds


class Pods(Protocol):
    """The node's pods (kubelet/pod_workers.py)."""

    def lives(self) -> Iterable[Life]:
        """Return the lives of all pods."""
        ...

    def collect(self, uid: str, ids: frozenset[str]) -> None:
        """Have dead containers of a pod removed."""
        ...


@dataclass(frozen=True, slots=True)
class ContainerGarbage:
    """The collector of one node's dead containers."""

    pods: Pods
    clock: Clock
    log: EventLog
    limits: ContainerLimits

    def sweep(self) -> None:
        """Have removed what is beyond the limits. Where each step of a pod sees to that, there is nothing to do."""
        if self.limits.least_age_s or self.limits.all >= 0:
            self._begin(is_short=False)

    async def make_room(self) -> None:
        """Remove what is beyond the limits and all that is left of pods that have ended; return when it is gone, or soon."""
        going = self._begin(is_short=True)
        until_s = self.clock.monotonic() + _LONGEST_S
        while going & self._left() and self.clock.monotonic() < until_s:
            await self.clock.sleep(_LOOK_S)

    def _begin(self, *, is_short: bool) -> set[str]:
        plan = plan_collection(self.pods.lives(), self.limits, self.clock.now(), is_short=is_short)
        for uid, ids in plan.items():
            self.pods.collect(uid, ids)
        going = {id_ for ids in plan.values() for id_ in ids}
        if going:
            self.log.info("dead_containers_collected", containers=len(going), pods=len(plan))
        return going

    def _left(self) -> set[str]:
        """Return the containers that are there, and those whose removal is under way: their logs go after them."""
        lives = list(self.pods.lives())
        there = {each.id for life in lives for each in life.observed.containers}
        return there | {key.target for life in lives for key in life.actions if key.verb is Verb.REMOVE}

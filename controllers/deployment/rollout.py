"""A rollout as it stands, read once: the new ReplicaSet, the old ones, their sizes, and the limits between them.

Strategy, status and revisions all decide from this one value; none of them reads the deployment's spec for itself.
https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from controllers.core.shares import share_of
from controllers.core.workloads import Deployment, ReplicaSet
from controllers.deployment.annotations import revision_of_set
from controllers.deployment.template import age_key, find_new, find_old

_DEFAULT_LIMIT: Final = "25%"


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all ReplicaSets of a deployment."""

    wanted: int  # spec.replicas
    actual: int  # status.replicas
    ready: int
    available: int
    terminating: int | None  # None where one of them does not say


@dataclass(frozen=True, slots=True)
class Rollout:
    """A deployment and the ReplicaSets that it owns."""

    deployment: Deployment
    new: ReplicaSet | None  # with the template of now
    old: tuple[ReplicaSet, ...]  # all others, oldest first
    every: tuple[ReplicaSet, ...]  # the old ones, then the new one
    active: tuple[ReplicaSet, ...]  # those that should have pods, oldest first
    totals: Totals
    replicas: int  # pods that there are to be
    is_rolling: bool  # old and new pods run side by side while the template changes
    max_surge: int  # pods that there may be above `replicas`
    max_unavailable: int  # of `replicas` that may be missing; never more than there are
    revision: int  # which the template of now has, or gets: one above all others

    @property
    def fewest_available(self) -> int:
        """How many pods have to be available at any time."""
        return self.replicas - self.max_unavailable


def read_rollout(deployment: Deployment, owned: Sequence[ReplicaSet]) -> Rollout:
    """Read a deployment and what it owns."""
    new = find_new(deployment, owned)
    old = tuple(find_old(owned, new))
    every = (*old, new) if new else old
    replicas = deployment.spec.replicas
    surge, unavailable = limits(deployment)
    return Rollout(
        deployment,
        new,
        old,
        every,
        active=tuple(sorted((rs for rs in every if rs.spec.replicas > 0), key=age_key)),
        totals=_total(every),
        replicas=replicas,
        is_rolling=is_rolling(deployment),
        max_surge=surge,
        max_unavailable=min(unavailable, replicas),
        revision=max(map(revision_of_set, old), default=0) + 1,
    )


def is_rolling(deployment: Deployment) -> bool:
    """Whether old and new pods run side by side while the template changes."""
    return deployment.spec.strategy.type != "Recreate"


def limits(deployment: Deployment) -> tuple[int, int]:
    """Return maxSurge and maxUnavailable in pods: surge rounds up, unavailable down, and one of them is above 0."""
    if not is_rolling(deployment):
        return 0, 0
    rolling = deployment.spec.strategy.rollingUpdate
    surge = _resolve(rolling.maxSurge if rolling else None, deployment.spec.replicas, up=True)
    unavailable = _resolve(rolling.maxUnavailable if rolling else None, deployment.spec.replicas, up=False)
    return (0, 1) if surge == unavailable == 0 else (surge, unavailable)


def wanted(replica_sets: Iterable[ReplicaSet]) -> int:
    """Return the sum of spec.replicas."""
    return sum(rs.spec.replicas for rs in replica_sets)


def staying(rs: ReplicaSet) -> int:
    """Return how many available pods a ReplicaSet keeps at its present size.

    Its status may still count pods that this size takes from it: it counts the pods as they were before.
    """
    return min(rs.status.availableReplicas or 0, rs.spec.replicas)


def _resolve(value: int | str | None, total: int, *, up: bool) -> int:
    return max(0, share_of(_DEFAULT_LIMIT if value is None else value, total, up=up))


def _total(replica_sets: Sequence[ReplicaSet]) -> Totals:
    statuses = [rs.status for rs in replica_sets]
    terminating = [status.terminatingReplicas for status in statuses]
    return Totals(
        wanted(replica_sets),
        actual=sum(status.replicas for status in statuses),
        ready=sum(status.readyReplicas or 0 for status in statuses),
        available=sum(status.availableReplicas or 0 for status in statuses),
        terminating=None if None in terminating else sum(count or 0 for count in terminating),
    )

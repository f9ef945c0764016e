"""Plan for one ReplicaSet, or one ReplicationController: its pods, and its status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from controllers.core.actions import (
    NO_FACTS,
    Action,
    AllAtOnce,
    Facts,
    Failure,
    Patch,
    Plan,
    SlowStart,
    soonest,
)
from controllers.core.claims import claim
from controllers.core.merge_patch import patch_status
from controllers.core.moment import Moment
from controllers.core.owned_pods import available_in, creation, deletion, is_available, pod_of_template
from controllers.core.replicas.pod_ranking import rank_for_deletion
from controllers.core.workloads import REPLICA_SETS, ReplicaSet, ReplicationController, template_labels
from machinery.model.conditions import find, remove
from machinery.model.k8s.apps_v1 import ReplicaSetCondition, ReplicaSetStatus
from machinery.model.k8s.core_v1 import Pod
from machinery.model.owners import controller_of
from machinery.model.pods import is_active, is_ready, is_terminal
from machinery.model.resources import PODS, Resource
from machinery.model.selectors import from_selector

BURST: Final = 500  # pods made or deleted by one plan
REPLICA_FAILURE: Final = "ReplicaFailure"

Replicated: TypeAlias = ReplicaSet | ReplicationController


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    rs: Replicated
    pods: Sequence[Pod]  # its own, its siblings', and those of nobody that its selector matches, at least
    siblings: frozenset[str]  # see `siblings_of`: their pods share the nodes with its own
    resource: Resource[Any] = REPLICA_SETS


def siblings_of(rs: Replicated, replica_sets: Sequence[Replicated]) -> frozenset[str]:
    """Return the uids of the ReplicaSets that the same controller owns, this one among them."""
    owner = controller_of(rs.metadata)
    if owner is None:
        return frozenset({rs.metadata.uid})
    controllers = ((other, controller_of(other.metadata)) for other in replica_sets)
    return frozenset(other.metadata.uid for other, ref in controllers if ref and ref.uid == owner.uid)


def plan(seen: Seen, moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Plan for a ReplicaSet or a ReplicationController.

    The status comes first, as it was seen; then pods are made or deleted, never both.
    """
    rs = seen.rs
    candidates = [pod for pod in seen.pods if not is_terminal(pod)]
    claims = claim(rs, seen.resource, candidates, PODS, from_selector(rs.spec.selector), facts)
    if claims.needs:
        return Plan(needs=claims.needs)
    active = [pod for pod in claims.owned if is_active(pod)]
    terminating = None if isinstance(rs, ReplicationController) else len(claims.owned) - len(active)
    adoptions: tuple[Action, ...] = (AllAtOnce(claims.patches),) if claims.patches else ()
    new_status = _status(rs, active, terminating, moment, facts.failure)
    manage = () if rs.metadata.deletionTimestamp else _manage(seen, active, moment, claims.patches)
    return Plan(
        (*patch_status(seen.resource, rs, new_status), *adoptions, *manage),
        requeue_after_s=_next_availability(rs, active, moment),
    )


def _manage(
    seen: Seen, active: list[Pod], moment: Moment, adoptions: tuple[Patch, ...]
) -> tuple[Action, ...]:
    rs = seen.rs
    missing = rs.spec.replicas - len(active)
    if missing > 0 and adoptions:
        return ()  # the adopted ones may be enough: look again when they are ours
    if missing > 0:
        return (SlowStart((creation(rs, pod_of_template(rs, rs.spec.template)),) * min(missing, BURST)),)
    if missing < 0:
        related = _related(seen.pods, seen.siblings)
        surplus = rank_for_deletion(active, related, moment)[: min(-missing, BURST)]
        return (AllAtOnce(tuple(deletion(rs, pod) for pod in surplus)),)
    return ()


def _related(pods: Sequence[Pod], siblings: frozenset[str]) -> list[Pod]:
    controllers = ((pod, controller_of(pod.metadata)) for pod in pods)
    return [pod for pod, owner in controllers if owner and owner.uid in siblings]


def _status(
    rs: Replicated, active: list[Pod], terminating: int | None, moment: Moment, failure: Failure | None
) -> ReplicaSetStatus:
    labels = template_labels(rs.spec.template).items()
    ready = [pod for pod in active if is_ready(pod)]
    min_ready_s = rs.spec.minReadySeconds
    available = [pod for pod in ready if is_available(pod, min_ready_s, moment)] if min_ready_s else ready
    return ReplicaSetStatus(
        replicas=len(active),
        fullyLabeledReplicas=sum(labels <= pod.metadata.labels.items() for pod in active) or None,
        readyReplicas=len(ready) or None,
        availableReplicas=len(available) or None,
        terminatingReplicas=terminating,
        observedGeneration=rs.metadata.generation,
        conditions=_conditions(rs, len(active) - rs.spec.replicas, moment, failure),
    )


def _conditions(
    rs: Replicated, surplus: int, moment: Moment, failure: Failure | None
) -> list[ReplicaSetCondition]:
    if failure is None or surplus == 0:
        return remove(rs.status.conditions, REPLICA_FAILURE)
    if find(rs.status.conditions, REPLICA_FAILURE):
        return rs.status.conditions
    condition = ReplicaSetCondition(
        type=REPLICA_FAILURE,
        status="True",
        reason="FailedCreate" if surplus < 0 else "FailedDelete",
        message=failure.message,
        lastTransitionTime=moment.text,
    )
    return [*rs.status.conditions, condition]


def _next_availability(rs: Replicated, active: list[Pod], moment: Moment) -> float | None:
    if not rs.spec.minReadySeconds:
        return None
    waits = (available_in(pod, rs.spec.minReadySeconds, moment) for pod in active)
    return soonest(*(wait for wait in waits if wait))

"""Plan for one ReplicaSet: its pods, and its status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from controllers.core.actions import (
    NO_FACTS,
    Action,
    AllAtOnce,
    Create,
    Facts,
    Failure,
    Patch,
    Plan,
    SlowStart,
    Write,
    delete,
    event,
    soonest,
)
from controllers.core.claims import claim
from controllers.core.merge_patch import patch_status
from controllers.core.moment import Moment
from controllers.core.workloads import NEW_PODS, REPLICA_SETS, NewPod, ReplicaSet, template_labels
from controllers.replicaset.pod_ranking import rank_for_deletion
from machinery.model.conditions import find, remove
from machinery.model.k8s.apps_v1 import ReplicaSetCondition, ReplicaSetStatus
from machinery.model.k8s.core_v1 import Pod
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.owners import controller_of, owner_reference
from machinery.model.pods import is_active, is_ready, is_terminal
from machinery.model.resources import PODS
from machinery.model.selectors import from_selector

BURST: Final = 500  # pods made or deleted by one plan
REPLICA_FAILURE: Final = "ReplicaFailure"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    rs: ReplicaSet
    pods: Sequence[Pod]  # its own, its siblings', and those of nobody that its selector matches, at least
    siblings: frozenset[str]  # see `siblings_of`: their pods share the nodes with its own


def siblings_of(rs: ReplicaSet, replica_sets: Sequence[ReplicaSet]) -> frozenset[str]:
    """Return the uids of the ReplicaSets that the same controller owns, this one among them."""
    owner = controller_of(rs.metadata)
    if owner is None:
        return frozenset({rs.metadata.uid})
    controllers = ((other, controller_of(other.metadata)) for other in replica_sets)
    return frozenset(other.metadata.uid for other, ref in controllers if ref and ref.uid == owner.uid)


def plan(seen: Seen, moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Plan for a ReplicaSet.

    The status comes first, as it was seen; then pods are made or deleted, never both.
    """
    rs = seen.rs
    candidates = [pod for pod in seen.pods if not is_terminal(pod)]
    claims = claim(rs, REPLICA_SETS, candidates, PODS, from_selector(rs.spec.selector), facts)
    if claims.needs:
        return Plan(needs=claims.needs)
    active = [pod for pod in claims.owned if is_active(pod)]
    terminating = len(claims.owned) - len(active)
    adoptions: tuple[Action, ...] = (AllAtOnce(claims.patches),) if claims.patches else ()
    new_status = _status(rs, active, terminating, moment, facts.failure)
    manage = (
        ()
        if rs.metadata.deletionTimestamp
        else _manage(rs, active, _related(seen.pods, seen.siblings), moment, claims.patches)
    )
    return Plan(
        (*patch_status(REPLICA_SETS, rs, new_status), *adoptions, *manage),
        requeue_after_s=_next_availability(rs, active, moment),
    )


def _manage(
    rs: ReplicaSet, active: list[Pod], related: list[Pod], moment: Moment, adoptions: tuple[Patch, ...]
) -> tuple[Action, ...]:
    missing = rs.spec.replicas - len(active)
    if missing > 0 and adoptions:
        return ()  # the adopted ones may be enough: look again when they are ours
    if missing > 0:
        return (SlowStart(tuple(_creation(rs) for _ in range(min(missing, BURST)))),)
    if missing < 0:
        surplus = rank_for_deletion(active, related, moment)[: min(-missing, BURST)]
        return (AllAtOnce(tuple(_deletion(rs, pod) for pod in surplus)),)
    return ()


def _creation(rs: ReplicaSet) -> Write:
    return Create(
        NEW_PODS,
        pod_of(rs),
        on_success=event(rs, "Normal", "SuccessfulCreate", "Created pod: {name}"),
        on_failure=event(rs, "Warning", "FailedCreate", "Error creating: {error}"),
    )


def _deletion(rs: ReplicaSet, pod: Pod) -> Write:
    return delete(
        PODS,
        pod,
        on_success=event(rs, "Normal", "SuccessfulDelete", "Deleted pod: {name}"),
        on_failure=event(rs, "Warning", "FailedDelete", "Error deleting: {error}"),
    )


def pod_of(rs: ReplicaSet) -> NewPod:
    """Write the pod that a template describes: its spec untouched, of its metadata what the API allows."""
    template = rs.spec.template
    metadata = template.get("metadata") or {}
    return NewPod(
        metadata=ObjectMeta(
            generateName=f"{rs.metadata.name}-",
            namespace=rs.metadata.namespace,
            labels=dict(template_labels(template)),
            annotations=dict(metadata.get("annotations") or {}),
            finalizers=list(metadata.get("finalizers") or []),
            ownerReferences=[owner_reference(rs)],
        ),
        spec=template.get("spec") or {},
    )


def _related(pods: Sequence[Pod], siblings: frozenset[str]) -> list[Pod]:
    controllers = ((pod, controller_of(pod.metadata)) for pod in pods)
    return [pod for pod, owner in controllers if owner and owner.uid in siblings]


def _status(
    rs: ReplicaSet, active: list[Pod], terminating: int, moment: Moment, failure: Failure | None
) -> ReplicaSetStatus:
    labels = template_labels(rs.spec.template).items()
    ready = [pod for pod in active if is_ready(pod)]
    available = [pod for pod in ready if available_in(pod, rs.spec.minReadySeconds, moment) == 0]
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
    rs: ReplicaSet, surplus: int, moment: Moment, failure: Failure | None
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


def available_in(pod: Pod, min_ready_s: int, moment: Moment) -> float | None:
    """Return the seconds until a pod has been ready long enough: 0 where it has, None where it is not ready."""
    condition = find(pod.status.conditions, "Ready")
    if condition is None or condition.status != "True":
        return None
    if min_ready_s <= 0:
        return 0
    if not condition.lastTransitionTime:
        return None
    return max(0.0, min_ready_s - moment.since(condition.lastTransitionTime))


def _next_availability(rs: ReplicaSet, active: list[Pod], moment: Moment) -> float | None:
    waits = (available_in(pod, rs.spec.minReadySeconds, moment) for pod in active)
    return soonest(*(wait for wait in waits if wait))

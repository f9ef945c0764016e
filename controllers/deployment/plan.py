"""Plan for one Deployment: the next step of its rollout, its ReplicaSets' annotations, its history, its status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from controllers.core.actions import (
    NO_FACTS,
    Action,
    AllAtOnce,
    Create,
    Delete,
    Facts,
    Patch,
    Plan,
    RecordEvent,
    delete,
    event,
)
from controllers.core.claims import claim
from controllers.core.merge_patch import diff_documents, patch_at_revision, patch_status
from controllers.core.moment import Moment
from controllers.core.workloads import (
    DEPLOYMENTS,
    REPLICA_SETS,
    Deployment,
    ReplicaSet,
    ReplicaSetSpec,
    template_labels,
    with_label,
)
from controllers.deployment import revisions, rollback, status
from controllers.deployment.annotations import REVISION, revision_of_set
from controllers.deployment.rollout import Rollout, read_rollout
from controllers.deployment.strategy import STAY, Step, is_being_scaled, next_step, scale
from controllers.deployment.template import HASH_LABEL, hash_of
from machinery.model.k8s.apps_v1 import DeploymentStatus, ReplicaSetStatus
from machinery.model.k8s.core_v1 import Pod
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.owners import owner_reference
from machinery.model.selectors import from_selector

_SELECTS_ALL = "This deployment is selecting all pods. A non-empty selector is required."


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    deployment: Deployment
    replica_sets: Sequence[
        ReplicaSet
    ]  # its own, those that it may adopt, and those with a name that it may choose
    pods: Sequence[Pod] = ()  # of its ReplicaSets, for the strategy that waits for them: Recreate


def plan(seen: Seen, moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Plan for a deployment.

    Every plan is one step: what it changes comes back as a change of the ReplicaSets, and the next plan follows.
    """
    deployment = seen.deployment
    selector = deployment.spec.selector
    if not selector.matchLabels and not selector.matchExpressions:
        return _refuse(deployment)
    claims = claim(deployment, DEPLOYMENTS, seen.replica_sets, REPLICA_SETS, from_selector(selector), facts)
    if claims.needs:
        return Plan(needs=claims.needs)
    if claims.patches:
        return Plan((AllAtOnce(claims.patches),))
    rollout = read_rollout(deployment, claims.owned)
    if deployment.metadata.deletionTimestamp:
        return Plan(patch_status(DEPLOYMENTS, deployment, status.compute(rollout, moment)))
    return _advance(rollout, seen, moment, facts)


def _refuse(deployment: Deployment) -> Plan:
    seen = msgspec.structs.replace(deployment.status, observedGeneration=deployment.metadata.generation)
    patches = patch_status(DEPLOYMENTS, deployment, seen)
    warning = event(deployment, "Warning", "SelectingAll", _SELECTS_ALL)
    return Plan((*patches, warning) if patches else ())


def _advance(rollout: Rollout, seen: Seen, moment: Moment, facts: Facts) -> Plan:
    deployment = rollout.deployment
    if rollback.is_asked_for(deployment) and not deployment.spec.paused:
        return rollback.roll_back(deployment, rollout.every)
    scaling = deployment.spec.paused or is_being_scaled(rollout)
    step = scale(rollout) if scaling else next_step(rollout, seen.pods)
    new_status = status.with_pause(deployment, status.compute(rollout, moment), moment)
    if step.create_with is not None:
        return _create(rollout, step.create_with, seen.replica_sets, new_status, moment, facts)
    if not scaling:
        new_status = status.with_progress(rollout, new_status, moment)
    settled = step == STAY and (deployment.spec.paused or status.is_complete(deployment, new_status))
    actions: list[Action] = [
        *_adjust(rollout, step, with_sizes=scaling),
        *(_clean_up(rollout) if settled else ()),
        *patch_status(DEPLOYMENTS, deployment, new_status),
        *(_mark_revision(rollout, revision_of_set(rollout.new)) if rollout.new else ()),
    ]
    return Plan(tuple(actions), requeue_after_s=status.deadline_in(deployment, new_status, moment))


def _create(
    rollout: Rollout,
    replicas: int,
    replica_sets: Sequence[ReplicaSet],
    new_status: DeploymentStatus,
    moment: Moment,
    facts: Facts,
) -> Plan:
    deployment = rollout.deployment
    new = _new_replica_set(rollout, replicas)
    name = new.metadata.name
    creation = Create(
        REPLICA_SETS,
        new,
        on_success=_created(deployment, name, replicas),
        on_failure=event(
            deployment, "Warning", status.CREATE_ERROR, status.failed_creation_text(name, "{error}")
        ),
    )
    if any(rs.metadata.name == name for rs in replica_sets):  # another template with this hash, or another's
        collided = msgspec.structs.replace(new_status, collisionCount=(new_status.collisionCount or 0) + 1)
        return Plan(patch_status(DEPLOYMENTS, deployment, collided))
    if facts.failure:
        failed = status.with_failed_creation(name, deployment, new_status, facts.failure, moment)
        noted = patch_status(DEPLOYMENTS, deployment, failed)
        return Plan((*noted, creation))
    new_status = status.with_creation(name, deployment, new_status, moment)
    return Plan(
        (
            creation,
            *patch_status(DEPLOYMENTS, deployment, new_status),
            *_mark_revision(rollout, rollout.revision),
        )
    )


def _created(deployment: Deployment, name: str, replicas: int) -> RecordEvent | None:
    if not replicas:
        return None
    return event(
        deployment, "Normal", "ScalingReplicaSet", f"Scaled up replica set {name} from 0 to {replicas}"
    )


def _new_replica_set(rollout: Rollout, replicas: int) -> ReplicaSet:
    deployment = rollout.deployment
    spec = deployment.spec
    digest = hash_of(spec.template, deployment.status.collisionCount or 0)
    template = with_label(spec.template, HASH_LABEL, digest)
    selector = msgspec.structs.replace(
        spec.selector, matchLabels=spec.selector.matchLabels | {HASH_LABEL: digest}
    )
    annotations = revisions.copied(deployment) | revisions.sizes(rollout)
    return ReplicaSet(
        metadata=ObjectMeta(
            name=f"{deployment.metadata.name}-{digest}",
            namespace=deployment.metadata.namespace,
            labels=template_labels(template),
            annotations=annotations | {REVISION: str(rollout.revision)},
            ownerReferences=[owner_reference(deployment)],
        ),
        spec=ReplicaSetSpec(
            replicas=replicas, minReadySeconds=spec.minReadySeconds, selector=selector, template=template
        ),
        status=ReplicaSetStatus(replicas=0),
    )


def _adjust(rollout: Rollout, step: Step, *, with_sizes: bool) -> list[Patch]:
    """Bring every ReplicaSet to its size and its annotations, one patch each."""
    patches = (_adjusted(rollout, rs, step, with_sizes=with_sizes) for rs in rollout.every)
    return [patch for patch in patches if patch is not None]


def _adjusted(rollout: Rollout, rs: ReplicaSet, step: Step, *, with_sizes: bool) -> Patch | None:
    deployment = rollout.deployment
    is_new = rollout.new is rs
    size = step.sizes.get(rs.metadata.name, rs.spec.replicas)
    annotations = rs.metadata.annotations
    if is_new:
        annotations = revisions.of_newest(rollout, rs)
    if size != rs.spec.replicas or (with_sizes and rs.spec.replicas > 0):
        annotations = annotations | revisions.sizes(rollout)
    spec: dict[str, int] = {} if size == rs.spec.replicas else {"replicas": size}
    if is_new and rs.spec.minReadySeconds != deployment.spec.minReadySeconds:
        spec["minReadySeconds"] = deployment.spec.minReadySeconds
    changed = diff_documents(rs.metadata.annotations, annotations)
    document = ({"metadata": {"annotations": changed}} if changed else {}) | ({"spec": spec} if spec else {})
    if not document:
        return None
    patch = patch_at_revision(REPLICA_SETS, rs, document)
    return _announced(patch, deployment, rs, size)


def _announced(patch: Patch, deployment: Deployment, rs: ReplicaSet, size: int) -> Patch:
    before = rs.spec.replicas
    if size == before:
        return patch
    direction = "up" if size > before else "down"
    message = f"Scaled {direction} replica set {rs.metadata.name} from {before} to {size}"
    said = event(deployment, "Normal", "ScalingReplicaSet", message)
    return Patch(patch.resource, patch.namespace, patch.name, patch.patch, on_success=said)


def _mark_revision(rollout: Rollout, revision: int) -> tuple[Patch, ...]:
    """Write the current revision on the deployment itself, through the status: it is no change of what is wanted.

    No revision precondition: the status came just before.
    """
    meta = rollout.deployment.metadata
    wanted = str(max(revision, rollout.revision))
    if not revision or meta.annotations.get(REVISION) == wanted:
        return ()
    document = {"metadata": {"uid": meta.uid, "annotations": {REVISION: wanted}}}
    return (Patch(DEPLOYMENTS, meta.namespace, meta.name, document, "status"),)


def _clean_up(rollout: Rollout) -> list[Delete]:
    """Delete the oldest revisions beyond spec.revisionHistoryLimit; only those without pods."""
    limit = rollout.deployment.spec.revisionHistoryLimit
    if limit is None:
        return []
    candidates = sorted(
        (rs for rs in rollout.old if rs.metadata.deletionTimestamp is None), key=revision_of_set
    )
    surplus = candidates[: max(0, len(candidates) - limit)]
    return [delete(REPLICA_SETS, rs) for rs in surplus if _is_idle(rs)]


def _is_idle(rs: ReplicaSet) -> bool:
    unseen = (rs.metadata.generation or 0) > (rs.status.observedGeneration or 0)
    return rs.spec.replicas == 0 and rs.status.replicas == 0 and not unseen

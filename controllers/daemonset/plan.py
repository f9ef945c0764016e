"""Plan for one DaemonSet: the revision of its template, its status, its pods, its history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from controllers.core.actions import NO_FACTS, Action, AllAtOnce, Create, Facts, Plan, SlowStart, soonest
from controllers.core.claims import claim
from controllers.core.merge_patch import patch_status
from controllers.core.moment import Moment
from controllers.core.owned_pods import available_in, creation, deletion, pod_of_template
from controllers.core.revisions import CONTROLLER_REVISIONS, REVISION_LABEL, ControllerRevision
from controllers.core.workloads import DAEMON_SETS, DaemonSet, with_label
from controllers.daemonset import status
from controllers.daemonset.history import clean_up, current_revision, digest_of
from controllers.daemonset.placement import bound_to
from controllers.daemonset.rolling import roll
from controllers.daemonset.standing import GENERATION_LABEL, Standing, is_rolling, read_standing
from controllers.daemonset.upkeep import Step, keep_up
from machinery.model.k8s.core_v1 import Node, Pod
from machinery.model.resources import PODS
from machinery.model.selectors import from_selector

BURST: Final = 250  # pods made, and pods deleted, by one plan


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    daemon_set: DaemonSet
    nodes: Sequence[Node]  # all
    pods: Sequence[Pod]  # its own, and those of nobody that its selector matches, at least
    revisions: Sequence[ControllerRevision]  # likewise
    named: Mapping[
        str, ControllerRevision
    ]  # that of anybody with the name that a new one would get, at least
    waits: Mapping[str, float]  # by node: how long its failed pod is kept yet, in seconds


def plan(seen: Seen, moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Plan for a DaemonSet. One that is being deleted is left alone: its revisions may be gone before it."""
    daemon_set = seen.daemon_set
    if daemon_set.metadata.deletionTimestamp:
        return Plan()
    matcher = from_selector(daemon_set.spec.selector)
    pods = claim(daemon_set, DAEMON_SETS, seen.pods, PODS, matcher, facts)
    revisions = claim(daemon_set, DAEMON_SETS, seen.revisions, CONTROLLER_REVISIONS, matcher, facts)
    if pods.needs or revisions.needs:
        return Plan(needs=pods.needs or revisions.needs)
    if patches := (*revisions.patches, *pods.patches):
        return Plan(
            (AllAtOnce(patches),)
        )  # those that are adopted may be enough: look again when they are ours
    now = current_revision(daemon_set, revisions.owned, seen.named)
    if now.collided:
        return _count_collision(daemon_set)
    standing = read_standing(daemon_set, digest_of(now.revision), seen.nodes, pods.owned, moment)
    return Plan(
        (
            *now.writes,
            *patch_status(DAEMON_SETS, daemon_set, status.compute(standing)),
            *_step(standing, seen.waits),
            *clean_up(daemon_set, now.revision, revisions.owned, pods.owned),
        ),
        requeue_after_s=_next_look(standing, seen.waits),
    )


def _count_collision(daemon_set: DaemonSet) -> Plan:
    """Have another name tried: another template has the one that the hash gives."""
    count = (daemon_set.status.collisionCount or 0) + 1
    return Plan(
        patch_status(
            DAEMON_SETS, daemon_set, msgspec.structs.replace(daemon_set.status, collisionCount=count)
        )
    )


def _step(standing: Standing, waits: Mapping[str, float]) -> tuple[Action, ...]:
    """Return what is done to the pods: what upkeep demands, or, where that is nothing, the next step of an update.

    Deletions come first: a quota that forbids new pods does not forbid them.
    """
    step = keep_up(standing, waits)
    if not step and is_rolling(standing.daemon_set):
        step = roll(standing)
    return (*step.events, *_deletions(standing.daemon_set, step), *_creations(standing, step))


def _deletions(daemon_set: DaemonSet, step: Step) -> tuple[Action, ...]:
    writes = tuple(deletion(daemon_set, pod) for pod in step.delete[:BURST])
    return (AllAtOnce(writes),) if writes else ()


def _creations(standing: Standing, step: Step) -> tuple[Action, ...]:
    writes = tuple(_creation(standing, node) for node in step.create_on[:BURST])
    return (SlowStart(writes),) if writes else ()


def _creation(standing: Standing, node: str) -> Create:
    daemon_set = standing.daemon_set
    template = with_label(daemon_set.spec.template, REVISION_LABEL, standing.digest)
    if standing.generation:
        template = with_label(template, GENERATION_LABEL, standing.generation)
    bound = template | {"spec": bound_to(template.get("spec") or {}, node)}
    return creation(daemon_set, pod_of_template(daemon_set, bound))


def _next_look(standing: Standing, waits: Mapping[str, float]) -> float | None:
    min_ready_s = standing.daemon_set.spec.minReadySeconds
    pods = [pod for pods in standing.pods.values() for pod in pods]
    coming = [available_in(pod, min_ready_s, standing.moment) for pod in pods] if min_ready_s else []
    return soonest(*(wait_s for wait_s in coming if wait_s), *waits.values())

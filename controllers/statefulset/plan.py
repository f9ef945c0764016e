"""Plan for one StatefulSet: its history, its pods and their claims, its status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from controllers.core.actions import NO_FACTS, Action, AllAtOnce, Facts, Plan, delete, soonest
from controllers.core.claims import Claims, claim
from controllers.core.merge_patch import patch_status
from controllers.core.metadata_only import MetadataOnly
from controllers.core.moment import Moment
from controllers.core.revisions import (
    CONTROLLER_REVISIONS,
    HASH_LABEL,
    ControllerRevision,
    Current,
    current,
    surplus,
)
from controllers.core.workloads import STATEFUL_SETS, StatefulSet
from controllers.statefulset import status
from controllers.statefulset.identity import ordinal_of, revision_of
from controllers.statefulset.members import Members, read_members
from controllers.statefulset.rolling import to_replace
from controllers.statefulset.turns import Turn, actions_of, deletion, of_condemned, of_places
from machinery.model.k8s.core_v1 import Pod
from machinery.model.resources import PODS
from machinery.model.selectors import from_selector


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    owner: StatefulSet
    pods: Sequence[Pod]  # its own, those that it may adopt, and whoever has a name that it gives
    revisions: Sequence[ControllerRevision]  # the same of revisions
    claims: Mapping[str, MetadataOnly]  # those of its pods that are there, by name


def plan(seen: Seen, moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Plan for a StatefulSet: first whose is what, then the revision of its template, then the pods."""
    owner = seen.owner
    pods = _claim_pods(seen, facts)
    revisions = claim(
        owner, STATEFUL_SETS, seen.revisions, CONTROLLER_REVISIONS, from_selector(owner.spec.selector), facts
    )
    if needs := (*pods.needs, *revisions.needs):
        return Plan(needs=tuple(dict.fromkeys(needs)))
    if patches := (*pods.patches, *revisions.patches):
        return Plan((AllAtOnce(patches),))
    newest = _current_revision(seen, revisions.owned)
    is_leaving = owner.metadata.deletionTimestamp is not None
    if newest.collided:
        count = (owner.status.collisionCount or 0) + 1
        counted = msgspec.structs.replace(owner.status, collisionCount=count)
        return Plan(patch_status(STATEFUL_SETS, owner, counted))
    if newest.writes:
        return Plan(() if is_leaving else newest.writes)
    members = _read(seen, pods.owned, revisions.owned, newest.revision, moment)
    actions: list[Action] = [*patch_status(STATEFUL_SETS, owner, status.compute(members))]
    if not is_leaving:
        actions += [*_advance(members), *_truncate(members, revisions.owned)]
    return Plan(tuple(actions), requeue_after_s=_next_availability(members))


def _claim_pods(seen: Seen, facts: Facts) -> Claims[Pod]:
    owner = seen.owner
    return claim(
        owner,
        STATEFUL_SETS,
        seen.pods,
        PODS,
        from_selector(owner.spec.selector),
        facts,
        fits=lambda pod: ordinal_of(owner, pod.metadata.name) is not None,
    )


def _current_revision(seen: Seen, owned: Sequence[ControllerRevision]) -> Current:
    owner = seen.owner
    return current(
        owner,
        owner.spec.template,
        owned,
        {each.metadata.name: each for each in seen.revisions},
        owner.status.collisionCount or 0,
        hash_label=HASH_LABEL,
        annotations=owner.metadata.annotations,
    )


def _read(
    seen: Seen,
    owned: Sequence[Pod],
    revisions: Sequence[ControllerRevision],
    update: ControllerRevision,
    moment: Moment,
) -> Members:
    owner = seen.owner
    by_name = {each.metadata.name: each for each in revisions}
    before = by_name.get(owner.status.currentRevision, update)
    its = {pod.metadata.uid for pod in owned}
    others = [pod for pod in seen.pods if pod.metadata.uid not in its]
    return read_members(owner, owned, others, before, update, seen.claims, moment)


def _advance(members: Members) -> tuple[Action, ...]:
    """Fill the places, then take away what is too much, then replace what is of an old template.

    In order, each of the three waits for the one before it; a pod that has to be waited for ends the turn.
    """
    turns = of_places(members)
    if _goes_on(members, turns):
        turns += of_condemned(members)
    if _goes_on(members, turns):
        replaced = tuple(deletion(members.owner, pod) for pod in to_replace(members))
        turns.append(Turn(deletions=replaced))
    return actions_of(turns)


def _goes_on(members: Members, turns: list[Turn]) -> bool:
    return not members.in_order or not any(turn.waits for turn in turns)


def _truncate(members: Members, owned: Sequence[ControllerRevision]) -> list[Action]:
    in_use = {members.current.metadata.name, members.update.metadata.name, *map(revision_of, members.pods)}
    gone = surplus(owned, in_use, members.owner.spec.revisionHistoryLimit)
    return [delete(CONTROLLER_REVISIONS, each) for each in gone]


def _next_availability(members: Members) -> float | None:
    waits = (members.available_in(pod) for pod in members.pods)
    return soonest(*(wait for wait in waits if wait))

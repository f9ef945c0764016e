"""The revision of the template of now, and those that there were: what `kubectl rollout history` and `undo` read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from controllers.core.actions import Delete, delete
from controllers.core.revisions import (
    CONTROLLER_REVISIONS,
    REVISION_LABEL,
    ControllerRevision,
    Current,
    current,
    hash_of,
    name_of,
    surplus,
)
from controllers.core.workloads import DaemonSet
from machinery.model.k8s.core_v1 import Pod


def name_to_choose(daemon_set: DaemonSet) -> str:
    """Return the name that a revision of the template of now gets, where there is none yet."""
    digest = hash_of(daemon_set.spec.template, daemon_set.status.collisionCount or 0)
    return name_of(daemon_set.metadata.name, digest)


def current_revision(
    daemon_set: DaemonSet, owned: Sequence[ControllerRevision], named: Mapping[str, ControllerRevision]
) -> Current:
    """Find the revision of the template of now, or make it; it carries the DaemonSet's annotations (the change cause)."""
    return current(
        daemon_set,
        daemon_set.spec.template,
        owned,
        named,
        daemon_set.status.collisionCount or 0,
        hash_label=REVISION_LABEL,
        annotations=daemon_set.metadata.annotations,
    )


def digest_of(revision: ControllerRevision) -> str:
    """Return what the pods of a revision are labelled with."""
    return revision.metadata.labels.get(REVISION_LABEL) or revision.metadata.name


def clean_up(
    daemon_set: DaemonSet, now: ControllerRevision, owned: Iterable[ControllerRevision], pods: Iterable[Pod]
) -> list[Delete]:
    """Delete the oldest revisions beyond spec.revisionHistoryLimit; those that pods are of count, and stay."""
    past = [each for each in owned if each.metadata.name != now.metadata.name]
    used = {pod.metadata.labels.get(REVISION_LABEL) for pod in pods}
    live = {each.metadata.name for each in past if digest_of(each) in used}
    limit = daemon_set.spec.revisionHistoryLimit
    room = None if limit is None else max(0, limit - len(live))
    return [delete(CONTROLLER_REVISIONS, each) for each in surplus(past, live, room)]

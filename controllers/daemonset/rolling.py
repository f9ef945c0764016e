"""The next step of a rolling update: old pods deleted as far as availability allows, or new ones made beside them.

https://kubernetes.io/docs/tasks/manage-daemon/update-daemon-set/
Upkeep does the rest: it makes pods where there are none, and leaves at most one, or one old and one new, on a node. What
it has not tidied up yet counts as unavailable here. Pods that are being deleted count as unavailable only as long as
no other is there: so an update goes on while nodes are down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from controllers.daemonset.standing import Standing
from controllers.daemonset.upkeep import Step
from machinery.model.k8s.core_v1 import Pod
from machinery.model.pods import is_terminating


def roll(standing: Standing) -> Step:
    """Return the next step; none where no pod is of an earlier template."""
    if all(standing.is_updated(pod) for pods in standing.pods.values() for pod in pods):
        return Step()
    return _roll_with_surge(standing) if standing.max_surge else _roll_in_place(standing)


def _roll_in_place(standing: Standing) -> Step:
    """Delete old pods: those that are not available anyway, and of the others as many as may be missing."""
    unavailable = 0
    useless: list[Pod] = []
    candidates: list[Pod] = []
    for updated, outdated in _pairs(standing):
        if outdated is not None and updated is None:
            is_available = standing.is_available(outdated)
            (candidates if is_available else useless).append(outdated)
        else:
            is_available = outdated is None and updated is not None and standing.is_available(updated)
        unavailable += not is_available
    room = max(0, standing.max_unavailable - unavailable)
    return Step(delete=[*useless, *candidates[:room]])


def _roll_with_surge(standing: Standing) -> Step:
    """Make new pods beside old ones; delete an old one when the new one beside it is available.

    Where the nodes that suit have changed, an old pod on one that does not goes only when as many are available elsewhere.
    """
    surging = available = 0
    delete: list[Pod] = []
    misplaced: list[Pod] = []
    replaced: list[str] = []
    candidates: list[str] = []
    for node in _nodes(standing):
        pair = _pair(standing, node)
        if pair is None:
            surging += 1
            continue
        updated, outdated = pair
        first = outdated or updated
        available += first is not None and standing.is_available(first)
        if outdated is None:
            continue
        if updated is None:
            if standing.is_available(outdated):
                candidates.append(node) if standing.runs_on(node) else misplaced.append(outdated)
            else:
                replaced.append(node) if standing.runs_on(node) else delete.append(outdated)
        elif standing.is_available(updated):
            delete.append(outdated)
        else:
            surging += 1
    spare = max(0, available - standing.desired)
    room = max(0, standing.max_surge - surging)
    return Step([*replaced, *candidates[:room]], [*delete, *misplaced[:spare]])


def _nodes(standing: Standing) -> Iterator[str]:
    """Return the nodes that have pods, and those that have to have one."""
    yield from (node for node in standing.verdicts if standing.runs_on(node) or node in standing.pods)
    yield from (node for node in standing.pods if node not in standing.verdicts)


def _pairs(standing: Standing) -> Iterator[tuple[Pod | None, Pod | None]]:
    for node in _nodes(standing):
        yield _pair(standing, node) or (None, None)


def _pair(standing: Standing, node: str) -> tuple[Pod | None, Pod | None] | None:
    """Return the new and the old pod of a node; None where it has more than one of either."""
    pods = [pod for pod in standing.pods.get(node, ()) if not is_terminating(pod)]
    updated = [pod for pod in pods if standing.is_updated(pod)]
    outdated = [pod for pod in pods if not standing.is_updated(pod)]
    if len(updated) > 1 or len(outdated) > 1:
        return None
    return _only(updated), _only(outdated)


def _only(pods: Sequence[Pod]) -> Pod | None:
    return pods[0] if pods else None

"""The pods that are missing, and those that are too many: on each node by itself, whatever is being updated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from controllers.core.actions import RecordEvent, event
from controllers.core.workloads import DaemonSet
from controllers.daemonset.placement import Verdict
from controllers.daemonset.standing import Standing
from machinery.model.k8s.core_v1 import Pod
from machinery.model.pods import is_active, is_ready, is_terminal, is_terminating


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next."""

    create_on: Sequence[str] = ()  # nodes
    delete: Sequence[Pod] = ()
    events: Sequence[RecordEvent] = ()

    def __bool__(self) -> bool:
        return bool(self.create_on or self.delete)


def keep_up(standing: Standing, waits: Mapping[str, float]) -> Step:
    """Return what every node needs; `waits` are the nodes whose failed pod is kept yet."""
    steps = [
        _keep_up(standing, node, verdict, waits)
        for node, verdict in standing.verdicts.items()
        if verdict is Verdict.AWAY or not _has_what_it_needs(standing.pods.get(node, ()))
    ]
    return Step(
        [node for step in steps for node in step.create_on],
        [*(pod for step in steps for pod in step.delete), *_lost(standing)],
        [said for step in steps for said in step.events],
    )


def _has_what_it_needs(pods: Sequence[Pod]) -> bool:
    return len(pods) == 1 and is_active(pods[0])


def _keep_up(standing: Standing, node: str, verdict: Verdict, waits: Mapping[str, float]) -> Step:
    pods = standing.pods.get(node, ())
    if verdict is Verdict.AWAY:
        return Step(delete=[pod for pod in pods if not is_terminating(pod)])
    if not pods:
        return Step(create_on=[node] if verdict is Verdict.RUN else ())
    staying = [pod for pod in pods if not is_terminating(pod)]
    running = [pod for pod in staying if not is_terminal(pod)]
    ended = [pod for pod in staying if is_terminal(pod)]
    kept = [pod for pod in ended if pod.status.phase == "Failed"] if node in waits else []
    leaving = [pod for pod in ended if pod not in kept]
    needs_one = standing.may_surge and verdict is Verdict.RUN and not running and not kept
    return Step(
        [node] if needs_one else (),
        [*leaving, *(_surplus_beside_surge(standing, running) if standing.may_surge else running[1:])],
        [_told(standing.daemon_set, pod, node) for pod in leaving],
    )


def _surplus_beside_surge(standing: Standing, running: Sequence[Pod]) -> Iterator[Pod]:
    """Return those beside the oldest of now and the oldest of before, and this one when it is not needed any more."""
    updated = [pod for pod in running if standing.is_updated(pod)]
    outdated = [pod for pod in running if not standing.is_updated(pod)]
    yield from (*updated[1:], *outdated[1:])
    if updated and outdated and (not is_ready(outdated[0]) or standing.is_available(updated[0])):
        yield outdated[0]


def _lost(standing: Standing) -> Iterator[Pod]:
    """Return the pods that wait for a node that is gone: the scheduler never binds them, and nobody else deletes them."""
    for node, pods in standing.pods.items():
        if node not in standing.verdicts:
            yield from (pod for pod in pods if not pod.spec.nodeName and not is_terminating(pod))


def _told(daemon_set: DaemonSet, pod: Pod, node: str) -> RecordEvent:
    where = f"daemon pod {pod.metadata.namespace}/{pod.metadata.name} on node {node}"
    if pod.status.phase == "Failed":
        message = f"Found failed {where}, will try to kill it"
        return event(daemon_set, "Warning", "FailedDaemonPod", message)
    return event(
        daemon_set, "Normal", "SucceededDaemonPod", f"Found succeeded {where}, will try to delete it"
    )

"""All containers of a pod run again because one of them ended so: a rule with the action RestartAllContainers.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-all-containers (KEP-5532)

    the end that a rule matches is there → the others are killed, without grace or hooks, and removed from the runtime
    it alone is left                     → it has waited as long as a crash loop does → it is removed, too
    nothing is left                      → the pod begins again, with its init containers, in the sandbox that it has

The end is removed last, so a kubelet that dies on the way goes on where it was. Ephemeral containers stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from kubelet.core.observed import ContainerState, ObservedContainer, ObservedPod
from kubelet.core.restart import matching_action
from machinery.model.k8s.core_v1 import Container, Pod

ACTION: Final = "RestartAllContainers"


def all_may_restart(pod: Pod) -> bool:
    """Whether a rule of one of a pod's containers restarts all of them."""
    return any(
        rule.action == ACTION for container in _members(pod) for rule in container.restartPolicyRules or ()
    )


def find_trigger(
    pod: Pod, observed: ObservedPod, restarted: AbstractSet[str] = frozenset()
) -> ObservedContainer | None:
    """Return the first end, in the newest sandbox, for which all containers are to run again; None where there is none.

    `restarted`: ids of containers that were killed to run otherwise, whose end says nothing.
    """
    sandbox = observed.sandbox
    if sandbox is None or not all_may_restart(pod):
        return None
    found = [
        run
        for container in _members(pod)
        if (run := observed.newest(container.name)) is not None
        and run.state is ContainerState.EXITED
        and run.id not in restarted
        and run.sandbox_id == sandbox.id
        and matching_action(container, run.exit_code) == ACTION
    ]
    return min(found, key=lambda run: (run.finished_s, run.id), default=None)


def runs_of_members(pod: Pod, observed: ObservedPod) -> list[ObservedContainer]:
    """Return what the runtime has of a pod's init and main containers."""
    return [run for container in _members(pod) for run in observed.named(container.name)]


def _members(pod: Pod) -> Iterator[Container]:
    yield from pod.spec.initContainers
    yield from pod.spec.containers

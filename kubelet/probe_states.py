"""Between the probes and the pods' lives: who is probed, and what they say, in the lives' own terms."""

from __future__ import annotations

from collections.abc import Sequence

from kubelet.core.containers import ProbeState, ProbeStates
from kubelet.core.observed import ContainerState, ObservedContainer, ObservedPod
from kubelet.probes import Probes, RunningContainer
from machinery.model.k8s.core_v1 import Pod


class ProbeStateView:
    """Asks `Probes`."""

    def __init__(self, probes: Probes) -> None:
        self._probes = probes

    def watch(self, pod: Pod, running: Sequence[ObservedContainer], pod_ip: str) -> None:
        """Probe these containers of a pod, and no others."""
        chosen = [RunningContainer(run.name, run.id, run.started_s) for run in running]
        self._probes.watch(pod, chosen, pod_ip)

    def states(self, pod: Pod, observed: ObservedPod) -> ProbeStates:
        """Return what the probes of a pod's running containers say now."""
        probed = {
            each.name
            for each in (*pod.spec.initContainers, *pod.spec.containers)
            if each.startupProbe or each.readinessProbe or each.livenessProbe
        }
        return {
            run.id: self._state(pod.metadata.uid, run)
            for run in observed.containers
            if run.state is ContainerState.RUNNING and run.name in probed
        }

    def _state(self, uid: str, run: ObservedContainer) -> ProbeState:
        verdict = self._probes.alive(uid, run.name, run.id)
        return ProbeState(
            started=self._probes.started(uid, run.name, run.id),
            ready=self._probes.ready(uid, run.name, run.id),
            failed="" if verdict.alive else verdict.probe,
            message=verdict.message,
            grace_s=verdict.grace_s,
        )

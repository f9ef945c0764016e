"""The counts that a DaemonSet reports: nodes, not pods."""

from __future__ import annotations

from controllers.daemonset.placement import Verdict
from controllers.daemonset.standing import Standing
from machinery.model.k8s.apps_v1 import DaemonSetStatus
from machinery.model.k8s.core_v1 import Pod
from machinery.model.pods import is_ready


def compute(standing: Standing) -> DaemonSetStatus:
    """Count. Of several pods on a node the oldest one counts."""
    firsts = _first_pods(standing)
    ready = [pod for pod in firsts if is_ready(pod)]
    available = sum(map(standing.is_available, ready))
    daemon_set = standing.daemon_set
    return DaemonSetStatus(
        desiredNumberScheduled=standing.desired,
        currentNumberScheduled=len(firsts),
        numberMisscheduled=sum(
            verdict is not Verdict.RUN and node in standing.pods
            for node, verdict in standing.verdicts.items()
        ),
        numberReady=len(ready),
        updatedNumberScheduled=sum(map(standing.is_updated, firsts)) or None,
        numberAvailable=available or None,
        numberUnavailable=(standing.desired - available) or None,
        observedGeneration=daemon_set.metadata.generation,
        collisionCount=daemon_set.status.collisionCount,
        conditions=daemon_set.status.conditions,
    )


def _first_pods(standing: Standing) -> list[Pod]:
    """Return the pods that count: of each node that has to have one, the first."""
    return [
        standing.pods[node][0]
        for node in standing.verdicts
        if standing.runs_on(node) and node in standing.pods
    ]

"""What Kubernetes has a plugin for and Kubarium has not: a pod that asks for it stays Pending and says why.

No profile can leave it out: a pod that was placed without regard to a constraint would look well placed.
"""

from __future__ import annotations

from typing import Final

from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.framework import Plugin
from scheduler.core.needs import Needs
from scheduler.core.pod import PodInfo
from scheduler.core.rejection import Stopped
from scheduler.core.snapshot import Snapshot
from scheduler.core.unbuilt import repelled

NAME: Final = "Unbuilt"
REPELLED: Final = "a running pod's spec.affinity.podAntiAffinity may exclude this pod, and checking it is not built in Kubarium"


class Unbuilt(Plugin):
    """Stops pods with constraints that no plugin understands."""

    name = NAME
    helped_by = frozenset({ClusterEvent.POD_GONE})  # it may have been the one that repels

    def asks_each(self, needs: Needs) -> bool:
        """Whether a pod may be repelled: its labels decide."""
        del needs
        return True

    def need(self, pod: PodInfo, snapshot: Snapshot) -> Stopped | None:
        """Return what is not understood."""
        if pod.needs.unbuilt:
            return Stopped(NAME, ", ".join(pod.needs.unbuilt))
        if repelled(pod.namespace, pod.labels.labels, snapshot.repelling_terms()):
            return Stopped(NAME, REPELLED)
        return None

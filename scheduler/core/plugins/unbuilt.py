"""What Kubernetes has a plugin for and Kubarium has not: a pod that asks for it stays Pending and says why.

No profile can leave it out: a pod that was placed without regard to a constraint would look well placed.
"""

from __future__ import annotations

from typing import Final

from scheduler.core.framework import Plugin
from scheduler.core.pod import PodInfo
from scheduler.core.rejection import Stopped
from scheduler.core.snapshot import Snapshot

NAME: Final = "Unbuilt"


class Unbuilt(Plugin):
    """Stops pods with constraints that no plugin understands; nothing but a change of the pod helps."""

    name = NAME

    def need(self, pod: PodInfo, snapshot: Snapshot) -> Stopped | None:
        """Return what is not understood."""
        del snapshot
        return Stopped(NAME, ", ".join(pod.needs.unbuilt)) if pod.needs.unbuilt else None

"""DefaultPreemption: what would become free if pods of lower priority went. Taking them away is not built.

https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/
"""

from __future__ import annotations

from typing import Final

from scheduler.core import messages
from scheduler.core.framework import Plugin, Remedy, Verdicts
from scheduler.core.pod import PodInfo
from scheduler.core.snapshot import Snapshot

NAME: Final = "DefaultPreemption"


class DefaultPreemption(Plugin):
    """Says of a pod that fits nowhere what preemption would find."""

    name = NAME

    def remedy(self, pod: PodInfo, verdicts: Verdicts, snapshot: Snapshot) -> Remedy:
        """Return what is said; where Kubernetes would take pods away, that it is not built."""
        if not pod.preempts:
            return Remedy(messages.NEVER)
        if not snapshot.has_lower(pod.priority):
            return Remedy(messages.preemption(snapshot.node_count, _without_victims(verdicts, snapshot)))
        reasons = {messages.NOT_HELPFUL: 0, messages.NO_VICTIMS: 0, messages.NOT_BUILT: 0}
        for node in snapshot.existing_nodes():
            rejection = verdicts.rejection_of(node.index)
            if rejection is not None and not rejection.resolvable:
                reasons[messages.NOT_HELPFUL] += 1
            elif min(node.priorities, default=pod.priority) < pod.priority:
                reasons[messages.NOT_BUILT] += 1
            else:
                reasons[messages.NO_VICTIMS] += 1
        return Remedy(messages.preemption(snapshot.node_count, reasons))


def _without_victims(verdicts: Verdicts, snapshot: Snapshot) -> dict[str, int]:
    unhelpful = sum(nodes for rejection, nodes in verdicts.rejections().items() if not rejection.resolvable)
    return {messages.NOT_HELPFUL: unhelpful, messages.NO_VICTIMS: snapshot.node_count - unhelpful}

"""The verdicts about one pod: those about all pods of its kind, except that it is not in its own way where a node is kept for it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from scheduler.core.evaluation import Evaluation
from scheduler.core.node import NodeInfo
from scheduler.core.preemption import Victims
from scheduler.core.rejection import Rejection


class PodVerdicts(msgspec.Struct, frozen=True):
    """The verdicts about one pod."""

    shared: Evaluation
    tie_break: float
    kept: NodeInfo | None = None  # the node that is kept for it
    rejection: Rejection | None = None  # by that node
    offers: Mapping[str, Victims] | None = None  # what extenders have made of who may be taken away for it

    @property
    def fits_kept(self) -> bool:
        """Whether it fits on the node that is kept for it."""
        return self.kept is not None and self.rejection is None

    def rejections(self) -> Mapping[Rejection, int]:
        """Count the nodes by what keeps the pod from them."""
        counts = self.shared.rejections()
        if self.kept is None:
            return counts
        for rejection, change in ((self.shared.rejection_of(self.kept.index), -1), (self.rejection, 1)):
            if rejection is not None:
                counts[rejection] = counts.get(rejection, 0) + change
        return {rejection: number for rejection, number in counts.items() if number}

    def rejection_of(self, index: int) -> Rejection | None:
        """Return what keeps the pod from one node."""
        if self.kept is not None and index == self.kept.index:
            return self.rejection
        return self.shared.rejection_of(index)

    def rejection_with(self, changed: NodeInfo) -> Rejection | None:
        """Return what would keep the pod from a node with other pods."""
        return self.shared.rejection_with(changed)

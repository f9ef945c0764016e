"""Since when each node has its NoExecute taints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from controllers.core.moment import Moment
from controllers.core.nodes import UNHEALTHY_TAINTS
from machinery.model.k8s.core_v1 import Node, Taint
from machinery.model.taints import NO_EXECUTE

_TOLD_TO_S: Final = 1.0  # wall seconds: timeAdded is rounded down to the second


class TaintAges:
    """What was seen of taints, since timeAdded is only good to a second.

    not-ready and unreachable count as one: when a node goes from one to the other its pods have waited already.
    """

    def __init__(self) -> None:
        self._since: dict[str, dict[str, float]] = {}

    def look(self, node: Node, moment: Moment) -> Mapping[str, float]:
        """Note a node as it is now, and return the beginnings of its taints (cluster seconds), by `timer_of`."""
        known = self._since.get(node.metadata.uid, {})
        current = {timer_of(taint): taint for taint in evicting_taints(node)}
        fresh = {name: known.get(name, _begin(taint, moment)) for name, taint in current.items()}
        if fresh:
            self._since[node.metadata.uid] = fresh
        else:
            self._since.pop(node.metadata.uid, None)
        return fresh

    def forget(self, uid: str) -> None:
        """Drop a node that is gone."""
        self._since.pop(uid, None)


def timer_of(taint: Taint) -> str:
    """Name the timer that a taint runs on: the same one for both that say a node is unhealthy."""
    return "unhealthy" if taint.key in UNHEALTHY_TAINTS else f"{taint.key}={taint.value}"


def evicting_taints(node: Node) -> list[Taint]:
    """Return the taints that end pods which do not tolerate them."""
    return [taint for taint in node.spec.taints if taint.effect == NO_EXECUTE]


def _begin(taint: Taint, moment: Moment) -> float:
    if not taint.timeAdded:
        return moment.now_s
    told_s = moment.timescale.parse(taint.timeAdded) + moment.timescale.cluster(_TOLD_TO_S)
    return min(moment.now_s, told_s)

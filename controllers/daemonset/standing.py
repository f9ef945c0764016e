"""A DaemonSet as it stands, read once: what each node is to it, and which pods are there.

Upkeep, rolling, status and history all decide from this one value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from controllers.core.moment import Moment
from controllers.core.owned_pods import is_available
from controllers.core.revisions import REVISION_LABEL
from controllers.core.shares import share_of
from controllers.core.workloads import DaemonSet
from controllers.daemonset.placement import Verdict, judge, node_of, read_wish
from machinery.model.k8s.core_v1 import Node, Pod
from machinery.model.pods import is_terminal, is_terminating

GENERATION: Final = "deprecated.daemonset.template.generation"  # annotation of DaemonSets
GENERATION_LABEL: Final = "pod-template-generation"


@dataclass(frozen=True, slots=True)
class Standing:
    """A DaemonSet, its nodes and its pods."""

    daemon_set: DaemonSet
    digest: str  # of the revision of the template of now; its pods carry it
    verdicts: Mapping[str, Verdict]  # of every node that there is
    pods: Mapping[str, Sequence[Pod]]  # by node; the one that counts first
    moment: Moment

    @property
    def generation(self) -> str:
        """Return the number of the template of now, "" where it has none."""
        return self.daemon_set.metadata.annotations.get(GENERATION, "")

    @property
    def desired(self) -> int:
        """How many nodes have to have a pod."""
        return sum(verdict is Verdict.RUN for verdict in self.verdicts.values())

    @property
    def max_surge(self) -> int:
        """How many nodes may have a new pod beside an available old one."""
        return surge_of(self.daemon_set, self.desired)

    @property
    def max_unavailable(self) -> int:
        """How many nodes may be without an available pod; one, where neither this nor surging is allowed."""
        rolling = self.daemon_set.spec.updateStrategy.rollingUpdate
        value = rolling.maxUnavailable if rolling else None
        amount = 0 if value is None else share_of(value, self.desired, up=True)
        return amount or (0 if self.max_surge else 1)

    @property
    def may_surge(self) -> bool:
        """Whether a node may have two pods for a while."""
        return surge_of(self.daemon_set, 1) > 0

    def is_updated(self, pod: Pod) -> bool:
        """Whether a pod is of the template of now."""
        labels = pod.metadata.labels
        if labels.get(REVISION_LABEL) == self.digest:
            return True
        return bool(self.generation) and labels.get(GENERATION_LABEL) == self.generation

    def is_available(self, pod: Pod) -> bool:
        """Whether a pod has been ready for minReadySeconds."""
        return is_available(pod, self.daemon_set.spec.minReadySeconds, self.moment)

    def runs_on(self, node: str) -> bool:
        """Whether a node has to have a pod."""
        return self.verdicts.get(node) is Verdict.RUN


def is_rolling(daemon_set: DaemonSet) -> bool:
    """Whether pods are replaced when the template changes; otherwise, when somebody deletes them."""
    return daemon_set.spec.updateStrategy.type == "RollingUpdate"


def surge_of(daemon_set: DaemonSet, total: int) -> int:
    """Return maxSurge in nodes, of so many, rounded up."""
    rolling = daemon_set.spec.updateStrategy.rollingUpdate
    if not is_rolling(daemon_set) or rolling is None or rolling.maxSurge is None:
        return 0
    return share_of(rolling.maxSurge, total, up=True)


def read_standing(
    daemon_set: DaemonSet, digest: str, nodes: Iterable[Node], pods: Iterable[Pod], moment: Moment
) -> Standing:
    """Read a DaemonSet with its own pods. One that has ended and is being deleted is on its node no longer."""
    wish = read_wish(daemon_set.spec.template)
    ordered = sorted(nodes, key=lambda node: node.metadata.name)
    verdicts = {node.metadata.name: judge(wish, node) for node in ordered}
    by_node: dict[str, list[Pod]] = {}
    for pod in sorted(pods, key=_age_key):
        node = node_of(pod)
        if node and not (is_terminal(pod) and is_terminating(pod)):
            by_node.setdefault(node, []).append(pod)
    return Standing(daemon_set, digest, verdicts, by_node, moment)


def _age_key(pod: Pod) -> tuple[bool, str, str]:
    """Order pods: those that are on a node before those that are not yet, then by creation, then by name."""
    return not pod.spec.nodeName, pod.metadata.creationTimestamp or "", pod.metadata.name

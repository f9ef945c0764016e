"""Crowds: at most so many pods of one app on a node, and rather few."""

from scheduler.plugin import ClusterEvent, Filter, NodeInfo, Plugin, PodInfo, Score, Snapshot, less_is_better


class Crowds(Plugin):
    """Counts the pods of a namespace that have the same label `app`."""

    name = "Crowds"
    helped_by = frozenset({ClusterEvent.NODE_ADDED, ClusterEvent.POD_GONE})

    def __init__(self, most: int = 3) -> None:
        self.most = most
        self.crowded = self.reject("node(s) had enough pods of this app")

    def need(self, pod: PodInfo, snapshot: Snapshot) -> tuple[str, str] | None:
        """Return what has to be known of a pod; None: this plugin says nothing of it."""
        return (pod.namespace, pod.labels.labels["app"]) if "app" in pod.labels.labels else None

    def filter(self, need: tuple[str, str], snapshot: Snapshot) -> Filter:
        """Return what says of a node why it cannot take such pods, or None."""
        return Filter(lambda node: self.crowded if pods_of(need, node) >= self.most else None)

    def score(self, need: tuple[str, str], snapshot: Snapshot) -> Score:
        """Return what rates a node, and how its numbers become 0 to 100."""
        return Score(lambda node: pods_of(need, node), normalize=less_is_better)


def pods_of(app: tuple[str, str], node: NodeInfo) -> int:
    """Count the pods of an app on a node."""
    counts = node.label_counts.items()
    return sum(number for labels, number in counts if (labels.namespace, labels.labels.get("app")) == app)

"""Gangs: the pods of a gang are bound together, or none is.

A pod says by the labels `gang` and `gang-size` which gang it is of, and of how many pods that is.
"""

from scheduler.plugin import ClusterEvent, Handle, NodeInfo, Plugin, PodInfo, Snapshot, Wait


class Gangs(Plugin):
    """Has the pods of a gang wait with their nodes until the last one has one."""

    name = "Gangs"
    helped_by = frozenset({ClusterEvent.POD_CREATED, ClusterEvent.POD_GONE, ClusterEvent.NODE_ADDED})

    def __init__(self, within_s: float = 30.0) -> None:
        self.within_s = within_s

    def permit(self, pod: PodInfo, node: NodeInfo, handle: Handle) -> Wait | None:
        """Return how long a pod waits for the others; with the last one, all of them go on."""
        gang = gang_of(pod)
        if gang and placed(gang, handle.snapshot) < int(pod.labels.labels.get("gang-size", "1")):
            return Wait(self.within_s)
        for each in handle.waiting:
            if gang and gang_of(each.pod) == gang:
                each.allow(self.name)
        return None

    def unreserve(self, pod: PodInfo, node: str, handle: Handle) -> None:
        """Where one of a gang loses its node, those that wait lose theirs: others may want the places."""
        for each in handle.waiting:
            if gang_of(pod) and gang_of(each.pod) == gang_of(pod):
                each.reject(self.name, f"pod {pod.name} of its gang got no node")


def gang_of(pod: PodInfo) -> tuple[str, str] | None:
    """Return the namespace and the name of a pod's gang."""
    name = pod.labels.labels.get("gang")
    return (pod.namespace, name) if name else None


def placed(gang: tuple[str, str], snapshot: Snapshot) -> int:
    """Count the pods of a gang that have a node, those that wait with it included."""
    counts = (each for node in snapshot.existing_nodes() for each in node.label_counts.items())
    return sum(number for labels, number in counts if (labels.namespace, labels.labels.get("gang")) == gang)

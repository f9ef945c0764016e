"""What the pod garbage collector watches, remembers and looks at."""

from __future__ import annotations

from collections.abc import Iterable

from controllers.core.caches import Caches
from controllers.core.controller import EVERYTHING_AT_ONCE, Controller, Key, Settings, Watched
from controllers.core.moment import Moment
from controllers.pod_gc.plan import Seen, plan, quarantine
from machinery.model.k8s.core_v1 import Node, Pod
from machinery.model.pods import is_terminating
from machinery.model.requests import EventType
from machinery.model.resources import NODES, PODS
from machinery.model.store import Change


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    reader = Reader(caches)
    return Controller(
        "pod-garbage-collector",
        (
            Watched(reader.nodes, all_if_node_is_gone),
            Watched(reader.pods, all_if_unassigned_pod_ends),
        ),
        reader.look,
        plan,
        always=(EVERYTHING_AT_ONCE,),
    )


class Reader:
    """Reads the caches, and remembers since when a node that pods name is missing."""

    def __init__(self, caches: Caches) -> None:
        self.nodes = caches.ask(NODES, fields=("spec.taints", "status.conditions"))
        self.pods = caches.ask(
            PODS, fields=("spec.nodeName", "status.conditions", "status.phase", "status.reason")
        )
        self._missing_since_s: dict[str, float] = {}

    def look(self, _key: Key, moment: Moment) -> Seen:
        """Return all pods, and the nodes that are there or missing."""
        nodes = {node.metadata.name: node for node in self.nodes.store}
        pods = self.pods.store.list()
        self._missing_since_s = quarantine(self._missing_since_s, pods, nodes, moment.now_s)
        return Seen(pods, nodes, self._missing_since_s)


def all_if_node_is_gone(change: Change[Node]) -> Iterable[Key]:
    """Return all pods where a node is gone."""
    return (EVERYTHING_AT_ONCE,) if change.kind is EventType.DELETED else ()


def all_if_unassigned_pod_ends(change: Change[Pod]) -> Iterable[Key]:
    """Return all pods where one is to end that has no node."""
    pod = change.object
    waits = change.kind is not EventType.DELETED and is_terminating(pod) and not pod.spec.nodeName
    return (EVERYTHING_AT_ONCE,) if waits else ()

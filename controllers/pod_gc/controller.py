"""What the pod garbage collector watches, remembers and looks at.

It looks at everything from time to time, as ended pods are counted and what an event did not bring is found. What an
event is about is looked at by itself: a node that has gone, ("", name), or a pod.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from controllers.core.caches import Caches
from controllers.core.controller import EVERYTHING_AT_ONCE, Controller, Key, Settings, Watched
from controllers.core.indexes import BY_NODE, by_node
from controllers.core.keys import key_of
from controllers.core.moment import Moment
from controllers.pod_gc.plan import PERIOD_S, Seen, plan, quarantine
from machinery.model.k8s.core_v1 import Node, Pod
from machinery.model.pods import is_terminating
from machinery.model.requests import EventType
from machinery.model.resources import NODES, PODS
from machinery.model.store import Change


def build(caches: Caches, settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    reader = Reader(caches, settings.ended_pods)
    return Controller(
        "pod-garbage-collector",
        (Watched(reader.nodes, itself_if_gone), Watched(reader.pods, itself_if_it_ends_unassigned)),
        reader.look,
        plan,
        always=(EVERYTHING_AT_ONCE,),
        writes=frozenset({"delete pods", "patch pods/status"}),
    )


class Reader:
    """Reads the caches, and remembers since when a node that pods name is missing."""

    def __init__(self, caches: Caches, threshold: int) -> None:
        self._threshold = threshold
        self.nodes = caches.ask(NODES, fields=("spec.taints", "status.conditions"))
        self.pods = caches.ask(
            PODS,
            fields=("spec.nodeName", "status.conditions", "status.phase", "status.reason"),
            indexes={BY_NODE: by_node},
        )
        self._missing_since_s: dict[str, float] = {}

    def look(self, key: Key, moment: Moment) -> Seen | None:
        """Return pods, and which of their nodes are there or missing."""
        if key == EVERYTHING_AT_ONCE:
            return self._everything(moment.now_s)
        namespace, name = key
        if namespace:
            pod = self.pods.store.get(namespace, name)
            return self._of([pod]) if pod is not None else None
        return self._of_node(name, moment.now_s)

    def _everything(self, now_s: float) -> Seen:
        nodes = {node.metadata.name: node for node in self.nodes.store}
        named = self.pods.store.index_keys(BY_NODE)
        self._missing_since_s = quarantine(self._missing_since_s, named, nodes, now_s)
        return Seen(self.pods.store.list(), nodes, self._missing_since_s, self._threshold, PERIOD_S)

    def _of_node(self, name: str, now_s: float) -> Seen | None:
        pods = self.pods.store.by_index(BY_NODE, name)
        if not pods or self.nodes.store.get("", name) is not None:
            self._missing_since_s.pop(name, None)
            return None
        self._missing_since_s.setdefault(name, now_s)
        return self._of(pods)

    def _of(self, pods: Sequence[Pod]) -> Seen:
        """Return some pods: how many have ended in all is not asked."""
        names = {pod.spec.nodeName for pod in pods}
        found = {name: node for name in names if (node := self.nodes.store.get("", name)) is not None}
        known = self._missing_since_s
        return Seen(pods, found, {name: known[name] for name in names if name in known})


def itself_if_gone(change: Change[Node]) -> Iterable[Key]:
    """Return a node that is gone."""
    return (key_of(change.object.metadata),) if change.kind is EventType.DELETED else ()


def itself_if_it_ends_unassigned(change: Change[Pod]) -> Iterable[Key]:
    """Return a pod that is to end and has no node."""
    pod = change.object
    waits = change.kind is not EventType.DELETED and is_terminating(pod) and not pod.spec.nodeName
    return (key_of(pod.metadata),) if waits else ()

"""What the taint eviction controller watches, remembers and looks at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Noted, Settings, Watched
from controllers.core.indexes import BY_NODE, by_node
from controllers.core.keys import itself, key_of, node_of_pod
from controllers.core.moment import Moment
from controllers.taint_eviction.ages import TaintAges, evicting_taints
from controllers.taint_eviction.plan import Seen, plan, waiting
from machinery.model.k8s.core_v1 import Node, Pod
from machinery.model.pods import is_terminating
from machinery.model.requests import EventType
from machinery.model.resources import NODES, PODS
from machinery.model.store import Change


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    reader = Reader(caches)
    return Controller(
        "taint-eviction-controller",
        (Watched(reader.nodes, itself), Watched(reader.pods, reader.evicting_node_of_pod)),
        reader.look,
        plan,
        notes=(Noted(reader.nodes, reader.note_node),),
        workers=8,
        writes=frozenset({"delete pods", "patch pods/status"}),
    )


class Reader:
    """Reads the caches, and remembers the ages of taints."""

    def __init__(self, caches: Caches) -> None:
        self.nodes = caches.ask(NODES, fields=("spec.taints",))
        self.pods = caches.ask(
            PODS,
            fields=("spec.nodeName", "spec.tolerations", "status.conditions", "status.phase"),
            indexes={BY_NODE: by_node},
        )
        self._ages = TaintAges()
        self._waiting: dict[str, frozenset[str]] = {}  # by node: uids of the pods that have to go

    def look(self, key: Key, moment: Moment) -> Seen | None:
        """Return a node with its pods, and the beginnings of its taints."""
        name = key[1]
        node = self.nodes.store.get("", name)
        if node is None:
            return None
        pods, since_s = self.pods.store.by_index(BY_NODE, name), self._ages.look(node, moment)
        return Seen(node, pods, since_s, self._spared(node, pods, since_s))

    def _spared(self, node: Node, pods: Sequence[Pod], since_s: Mapping[str, float]) -> list[Pod]:
        """Return the pods that had to go when the node was looked at last, and do not have to now."""
        name = node.metadata.name
        before, now = self._waiting.pop(name, frozenset()), waiting(node, pods, since_s)
        if now:
            self._waiting[name] = now
        return (
            [pod for pod in pods if pod.metadata.uid in before - now and not is_terminating(pod)]
            if before
            else []
        )

    def note_node(self, change: Change[Node], _now_s: float) -> None:
        """Forget a node that is gone."""
        if change.kind is EventType.DELETED:
            self._ages.forget(change.object.metadata.uid)
            self._waiting.pop(change.object.metadata.name, None)

    def evicting_node_of_pod(self, change: Change[Pod]) -> Iterable[Key]:
        """Return the pod's node, where that evicts."""
        node = self.nodes.store.get("", node_of_pod(change))
        return (key_of(node.metadata),) if node is not None and evicting_taints(node) else ()

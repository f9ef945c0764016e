"""What the DaemonSet controller watches, remembers and looks at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Noted, Settings, Watched
from controllers.core.indexes import BY_CONTROLLER, BY_SELECTOR, by_controller, by_selector, claimable
from controllers.core.keys import itself, key_of, owners_and_adopters
from controllers.core.moment import Moment
from controllers.core.revisions import CONTROLLER_REVISIONS, ControllerRevision
from controllers.core.workloads import DAEMON_SETS, DaemonSet
from controllers.daemonset.failures import Failures
from controllers.daemonset.history import name_to_choose
from controllers.daemonset.placement import Verdict, Wish, judge, node_of, read_wish
from controllers.daemonset.plan import Seen, plan
from machinery.model.k8s.core_v1 import Node, Pod
from machinery.model.owners import controller_of, is_controlled_by
from machinery.model.pods import is_terminating
from machinery.model.requests import EventType
from machinery.model.resources import NODES, PODS
from machinery.model.selectors import from_selector
from machinery.model.store import Change

POD_FIELDS: Final = (
    "metadata.labels",
    "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms.matchFields",
    "spec.nodeName",
    "status.conditions",
    "status.phase",
)
NODE_FIELDS: Final = ("metadata.labels", "spec.taints")


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    reader = Reader(caches)
    return Controller(
        "daemonset-controller",
        (
            Watched(reader.daemon_sets, itself),
            Watched(reader.revisions, reader.daemon_sets_of_revision),
            Watched(reader.pods, reader.daemon_sets_of_pod),
            Watched(reader.nodes, reader.daemon_sets_of_node),
        ),
        reader.look,
        plan,
        notes=(
            Noted(reader.daemon_sets, reader.note_daemon_set),
            Noted(reader.pods, reader.note_pod),
        ),
        workers=2,
        size=lambda seen: len(seen.nodes),
        writes=frozenset(
            {
                "create pods",
                "patch pods",
                "delete pods",
                "create controllerrevisions.apps",
                "patch controllerrevisions.apps",
                "delete controllerrevisions.apps",
                "patch daemonsets.apps/status",
            }
        ),
    )


class Reader:
    """Reads the caches, and remembers which failed pods were deleted."""

    def __init__(self, caches: Caches) -> None:
        self.daemon_sets = caches.ask(DAEMON_SETS, indexes={BY_SELECTOR: by_selector})
        self.revisions = caches.ask(CONTROLLER_REVISIONS, indexes={BY_CONTROLLER: by_controller})
        self.pods = caches.ask(PODS, fields=POD_FIELDS, indexes={BY_CONTROLLER: by_controller})
        self.nodes = caches.ask(NODES, fields=NODE_FIELDS)
        self._failures = Failures()
        self._wishes: dict[str, tuple[int, Wish]] = {}  # by the DaemonSet's uid, with the generation read

    def look(self, key: Key, moment: Moment) -> Seen | None:
        """Return a DaemonSet with all nodes, its pods and revisions, and those that it may adopt."""
        namespace, name = key
        daemon_set = self.daemon_sets.store.get(namespace, name)
        if daemon_set is None:
            return None
        matcher = from_selector(daemon_set.spec.selector)
        revisions = self.revisions.store
        named = revisions.get(namespace, name_to_choose(daemon_set))
        pods = claimable(self.pods.store, daemon_set, matcher)
        return Seen(
            daemon_set,
            self.nodes.store.list(),
            pods,
            claimable(revisions, daemon_set, matcher),
            {named.metadata.name: named} if named else {},
            self._waits(daemon_set, pods, moment),
        )

    def _waits(self, daemon_set: DaemonSet, pods: list[Pod], moment: Moment) -> dict[str, float]:
        nodes = {node_of(pod) for pod in pods if _has_failed(pod) and not is_terminating(pod)}
        generation = daemon_set.status.observedGeneration or 0
        return self._failures.waits(daemon_set.metadata.uid, generation, nodes, moment.monotonic_s)

    def daemon_sets_of_pod(self, change: Change[Pod]) -> Iterator[Key]:
        """Return the owners before and after; for a pod that nobody controls, those that would adopt it."""
        return owners_and_adopters(change, "DaemonSet", self.daemon_sets.store)

    def daemon_sets_of_revision(self, change: Change[ControllerRevision]) -> Iterator[Key]:
        """Return the owners before and after; for a revision that nobody controls, those that would adopt it."""
        return owners_and_adopters(change, "DaemonSet", self.daemon_sets.store)

    def daemon_sets_of_node(self, change: Change[Node]) -> Iterator[Key]:
        """Return those to which the node is something else than before."""
        old, new = change.old, change.new
        if old and new and old.metadata.labels == new.metadata.labels and old.spec.taints == new.spec.taints:
            return
        for daemon_set in self.daemon_sets.store:
            wish = self._wish(daemon_set)
            if _verdict(wish, old) is not _verdict(wish, new):
                yield key_of(daemon_set.metadata)

    def note_daemon_set(self, change: Change[DaemonSet], _now_s: float) -> None:
        """Forget one that is gone."""
        if change.kind is EventType.DELETED:
            self._wishes.pop(change.object.metadata.uid, None)

    def note_pod(self, change: Change[Pod], now_s: float) -> None:
        """Note a failed pod whose deletion begins."""
        pod = change.old
        if pod is None or not _has_failed(pod) or is_terminating(pod):
            return
        if change.new is not None and not is_terminating(change.new):
            return
        owner = controller_of(pod.metadata)
        if owner is None or owner.kind != "DaemonSet":
            return
        daemon_set = self.daemon_sets.store.get(pod.metadata.namespace, owner.name)
        if daemon_set is not None and is_controlled_by(pod.metadata, daemon_set):
            generation = daemon_set.status.observedGeneration or 0
            self._failures.note((owner.uid, generation, node_of(pod)), now_s)

    def _wish(self, daemon_set: DaemonSet) -> Wish:
        meta = daemon_set.metadata
        generation = meta.generation or 0
        known = self._wishes.get(meta.uid)
        if known is None or known[0] != generation:
            known = self._wishes[meta.uid] = (generation, read_wish(daemon_set.spec.template))
        return known[1]


def _has_failed(pod: Pod) -> bool:
    return pod.status.phase == "Failed"


def _verdict(wish: Wish, node: Node | None) -> Verdict:
    return judge(wish, node) if node is not None else Verdict.AWAY

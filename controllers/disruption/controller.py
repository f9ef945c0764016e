"""What the disruption controller watches, remembers and looks at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from controllers.core.caches import Caches, Source
from controllers.core.controller import Controller, Key, LaterKinds, Noted, Settings, Watched
from controllers.core.indexes import BY_LABEL, BY_SELECTOR, by_label, by_selector
from controllers.core.keys import itself, key_of
from controllers.core.moment import Moment
from controllers.core.workloads import DEPLOYMENTS, REPLICA_SETS, REPLICATION_CONTROLLERS, STATEFUL_SETS
from controllers.disruption.plan import Budget, Seen, Target, is_target, plan
from controllers.disruption.scales import Scale
from machinery.model.k8s.core_v1 import Pod
from machinery.model.k8s.meta_v1 import OwnerReference
from machinery.model.k8s.policy_v1 import PodDisruptionBudget
from machinery.model.label_index import objects_for, selectors_for
from machinery.model.owners import controller_of
from machinery.model.requests import EventType
from machinery.model.resources import POD_DISRUPTION_BUDGETS, PODS
from machinery.model.selectors import from_selector
from machinery.model.store import Change

_TARGET: Final = "target"  # the first part of the keys of pods: (_TARGET, namespace, name)
POD_FIELDS: Final = ("metadata.labels", "status.conditions", "status.phase")


def build(caches: Caches, settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    reader = Reader(caches, settings)
    return Controller(
        "controllermanager",  # as events name it
        (Watched(reader.budgets, itself), Watched(reader.pods, reader.concerned)),
        reader.look,
        plan,
        notes=(Noted(reader.pods, reader.note_pod),),
        later=LaterKinds(reader.come, reader.gone),
        writes=frozenset({"patch poddisruptionbudgets.policy/status", "patch pods/status"}),
    )


class Reader:
    """Reads the caches, knows the kinds, and remembers which pods it has told of that are under several budgets."""

    def __init__(self, caches: Caches, settings: Settings) -> None:
        self.budgets = caches.ask(POD_DISRUPTION_BUDGETS, indexes={BY_SELECTOR: by_selector})
        self.pods = caches.ask(PODS, fields=POD_FIELDS, indexes={BY_LABEL: by_label})
        self._replica_sets = caches.ask(REPLICA_SETS)
        self._deployments = caches.ask(DEPLOYMENTS)
        self._others: dict[str, Source[Any]] = {
            each.kind: caches.ask(each) for each in (STATEFUL_SETS, REPLICATION_CONTROLLERS)
        }
        self._kinds = {(kind.group, kind.kind): kind for kind in settings.kinds}
        self._told: set[str] = set()  # uids of pods
        self._shared: dict[Key, dict[str, Pod]] = {}  # pods that are to be told, by the budget that does it

    def look(self, key: Key, _moment: Moment) -> Seen | None:
        """Return a budget with its pods and their controllers' scales, or a pod."""
        if key[0] == _TARGET and len(key) == 3:
            pod = self.pods.store.get(*key[1:])
            return None if pod is None else Target(pod)
        budget = self.budgets.store.get(*key)
        if budget is None:
            return None
        pods = self._pods_of(budget)
        shared = self._shared.pop(key, {})
        return Budget(budget, pods, self._scales(pods), self._kinds, tuple(shared.values()))

    def concerned(self, change: Change[Pod]) -> Iterator[Key]:
        """Return the budgets that select a pod, or did, and the pod itself where it is a target of disruption."""
        namespace = change.object.metadata.namespace
        before, after = (state.metadata.labels if state else None for state in (change.old, change.new))
        for labels in (before, after) if before != after else (after,):
            if labels is not None:
                found = [key_of(budget.metadata) for budget in self._selecting(namespace, labels)]
                yield from found
                if len(found) > 1 and change.new is not None and change.new.metadata.labels == labels:
                    self._note_shared(change.new, found[0])
        if change.new is not None and is_target(change.new):
            yield (_TARGET, *key_of(change.new.metadata))

    def note_pod(self, change: Change[Pod], _now_s: float) -> None:
        """Forget a pod that is gone."""
        if change.kind is EventType.DELETED:
            self._told.discard(change.object.metadata.uid)

    def come(self, source: Source[Any]) -> tuple[Watched[Any], None]:
        """Know a custom kind: it may control pods."""
        self._kinds[source.resource.group, source.resource.kind] = source.resource
        return Watched(source, lambda _change: ()), None

    def gone(self, source: Source[Any]) -> None:
        """Forget a kind."""
        self._kinds.pop((source.resource.group, source.resource.kind), None)

    def _pods_of(self, budget: PodDisruptionBudget) -> list[Pod]:
        matcher = from_selector(budget.spec.selector)
        candidates = objects_for(self.pods.store, BY_LABEL, budget.metadata.namespace, matcher)
        return [pod for pod in candidates if matcher.matches(pod.metadata.labels)]

    def _selecting(self, namespace: str, labels: dict[str, str]) -> Iterator[PodDisruptionBudget]:
        for budget in selectors_for(self.budgets.store, BY_SELECTOR, namespace, labels):
            if from_selector(budget.spec.selector).matches(labels):
                yield budget

    def _scales(self, pods: Sequence[Pod]) -> dict[str, Scale]:
        """Return the scales of what controls pods: a Deployment's for a ReplicaSet that a Deployment controls."""
        found = {
            owner.uid: (pod.metadata.namespace, owner)
            for pod in pods
            if (owner := controller_of(pod.metadata)) is not None
        }
        scales = {uid: self._scale_of(namespace, owner) for uid, (namespace, owner) in found.items()}
        return {uid: scale for uid, scale in scales.items() if scale is not None}

    def _scale_of(self, namespace: str, owner: OwnerReference) -> Scale | None:
        if owner.kind == "ReplicaSet":
            return self._scale((namespace, owner.name), owner.uid)
        source = self._others.get(owner.kind)
        found = source.store.get(namespace, owner.name) if source is not None else None
        if found is None or found.metadata.uid != owner.uid:
            return None
        return Scale(owner.uid, found.spec.replicas)

    def _scale(self, place: tuple[str, str], uid: str) -> Scale | None:
        replica_set = self._replica_sets.store.get(*place)
        if replica_set is None or replica_set.metadata.uid != uid:
            return None
        owner = controller_of(replica_set.metadata)
        if owner is None or owner.kind != "Deployment":
            return Scale(uid, replica_set.spec.replicas)
        deployment = self._deployments.store.get(place[0], owner.name)
        if deployment is None or deployment.metadata.uid != owner.uid:
            return None
        return Scale(owner.uid, deployment.spec.replicas)

    def _note_shared(self, pod: Pod, budget: Key) -> None:
        """Note a pod that several budgets select, for the plan of one of them to tell it, once."""
        if pod.metadata.uid not in self._told:
            self._told.add(pod.metadata.uid)
            self._shared.setdefault(budget, {})[pod.metadata.uid] = pod

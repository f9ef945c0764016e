"""VolumeBinding: bound volumes are reached from the node, and the claims that wait for a pod find one there, or get one.

https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode

    claim ─▶ bound ─────────────────────────▶ its volume's node affinity
          ─▶ waits for its first pod ───────▶ a volume that suits it, reserved for it; else a new one, if the class can
          ─▶ else: the pod fits nowhere until somebody has bound the claim

A class makes a new volume where its topologies allow it and its driver has room, if it tells how much
(https://kubernetes.io/docs/concepts/storage/storage-capacity/).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from machinery.model.k8s.core_v1 import Node, PersistentVolume, PersistentVolumeClaim
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.k8s.storage_v1 import StorageClass
from machinery.model.owners import controller_of
from machinery.model.requests import revision_of
from machinery.model.storage import BIND_COMPLETED, NO_PROVISIONER, SELECTED_NODE
from machinery.model.volume_matching import (
    class_of_claim,
    find_volume_for_node,
    is_reachable_from,
    size_of_claim,
    waits_for_consumer,
)
from scheduler.core.cluster_events import OF_STORAGE, ClusterEvent
from scheduler.core.framework import Filter, Plugin
from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.pod import ClaimKey, PodClaim, PodInfo
from scheduler.core.rejection import Rejection, Stopped
from scheduler.core.snapshot import Snapshot
from scheduler.core.storage import NO_VOLUMES, Binding, PodVolumes, Storage

NAME: Final = "VolumeBinding"
UNBOUND: Final = "pod has unbound immediate PersistentVolumeClaims"
NODE_CONFLICT: Final = "node(s) didn't match PersistentVolume's node affinity"
BIND_CONFLICT: Final = "node(s) didn't find available persistent volumes to bind"
NO_SPACE: Final = "node(s) did not have enough free storage"
NO_VOLUME: Final = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
_LOST: Final = "Lost"


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a pod that could be scheduled: those that have a volume, and those that wait for the pod."""

    bound: tuple[PersistentVolumeClaim, ...]
    waiting: tuple[
        PersistentVolumeClaim, ...
    ]  # the smallest first, so that it takes no volume from a larger one


def read_claims(pod: PodInfo, storage: Storage) -> Claims | str:
    """Return the claims of a pod; a sentence where they keep it from every node."""
    found: list[PersistentVolumeClaim] = []
    for each in pod.claims:
        claim = storage.claim(each.key)
        if claim is None or (problem := _problem(pod, each, claim)):
            return _missing(each) if claim is None else problem
        found.append(claim)
    bound = tuple(claim for claim in found if is_bound(claim))
    waiting = [claim for claim in found if not is_bound(claim)]
    if not all(_waits(claim, storage) for claim in waiting):
        return UNBOUND
    return Claims(bound, tuple(sorted(waiting, key=size_of_claim)))


def is_bound(claim: PersistentVolumeClaim) -> bool:
    """Whether the binding of a claim has been carried out."""
    return bool(claim.spec.volumeName) and BIND_COMPLETED in claim.metadata.annotations


def judge(claims: Claims, node: NodeInfo, storage: Storage) -> Rejection | None:
    """Return why a node cannot take the pod with its volumes, None where it can."""
    conditions = _as_node(node)
    reasons = [*_bound_reasons(claims.bound, conditions, storage)]
    if isinstance(found := choose(claims, node, storage), str):
        reasons.append(found)
    return Rejection(NAME, tuple(reasons), resolvable=False) if reasons else None


def choose(claims: Claims, node: NodeInfo, storage: Storage) -> PodVolumes | str:
    """Return what is given to the waiting claims on a node; the reason where one of them gets nothing there."""
    if not claims.waiting:
        return NO_VOLUMES
    nodes = [(claim, claim.metadata.annotations.get(SELECTED_NODE)) for claim in claims.waiting]
    if any(chosen not in {None, node.name} for _, chosen in nodes):
        return BIND_CONFLICT
    conditions = _as_node(node)
    bindings: list[Binding] = []
    provisions = [claim for claim, chosen in nodes if chosen]
    for claim in (claim for claim, chosen in nodes if not chosen):
        volume = _free_volume(claim, bindings, conditions, storage)
        if volume is None:
            provisions.append(claim)
        else:
            bindings.append(Binding(claim, volume))
    reasons = (_why_not_made(claim, node.labels, storage) for claim in provisions)
    return next(filter(None, reasons), "") or PodVolumes(tuple(bindings), tuple(provisions))


# -- before the pod is bound --


@dataclass(frozen=True, slots=True)
class Written:
    """What was written for a pod's claims: revisions, by the names of volumes and the keys of claims."""

    volumes: Mapping[str, int]
    claims: Mapping[ClaimKey, int]


Failure: TypeAlias = str


def progress(volumes: PodVolumes, written: Written, node: NodeInfo, storage: Storage) -> bool | Failure:
    """Return whether all claims are bound by now; a sentence where they will not be, and a node is to be looked for again."""
    conditions = _as_node(node)
    every = [
        *(_binding_progress(each, written, conditions, storage) for each in volumes.bindings),
        *(_provision_progress(each, written, conditions, storage) for each in volumes.provisions),
    ]
    return next((each for each in every if isinstance(each, str)), all(every))


def _binding_progress(binding: Binding, written: Written, node: Node, storage: Storage) -> bool | Failure:
    name, key = binding.volume.metadata.name, _key(binding.claim)
    volume, claim = storage.stored_volume(name), storage.stored_claim(key)
    if volume is None:
        return f'failed to check binding: could not find v1.PersistentVolume "{name}"'
    if claim is None:
        return f'failed to check binding: could not find v1.PersistentVolumeClaim "{_shown(key)}"'
    if revision_of(volume.metadata) < written.volumes.get(name, 0):
        return False
    if not is_reachable_from(volume, node):
        return _unreachable(name, node)
    if volume.spec.claimRef is None or not volume.spec.claimRef.uid:
        return f'ClaimRef got reset for pv "{name}"'
    return is_bound(claim)


def _provision_progress(
    asked: PersistentVolumeClaim, written: Written, node: Node, storage: Storage
) -> bool | Failure:
    key = _key(asked)
    claim = storage.stored_claim(key)
    if claim is None:
        return f'failed to check provisioning pvc: could not find v1.PersistentVolumeClaim "{_shown(key)}"'
    if revision_of(claim.metadata) < written.claims.get(key, 0):
        return False
    if claim.metadata.annotations.get(SELECTED_NODE) != node.metadata.name:
        return f'provisioning failed for PVC "{claim.metadata.name}"'
    if not claim.spec.volumeName:
        return False
    volume = storage.stored_volume(claim.spec.volumeName)
    if volume is not None and not is_reachable_from(volume, node):
        return _unreachable(volume.metadata.name, node)
    return volume is not None and is_bound(claim)


def _unreachable(name: str, node: Node) -> str:
    whose = f'pv "{name}" node affinity doesn\'t match node "{node.metadata.name}"'
    return f"{whose}: no matching NodeSelectorTerms"


# -- one claim --


def _missing(each: PodClaim) -> str:
    if each.is_ephemeral:
        return f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{each.key[1]}"'
    return f'persistentvolumeclaim "{each.key[1]}" not found'


def _problem(pod: PodInfo, each: PodClaim, claim: PersistentVolumeClaim) -> str:
    name = claim.metadata.name
    if claim.status.phase == _LOST:
        volume = claim.spec.volumeName
        return f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{volume}"'
    if claim.metadata.deletionTimestamp:
        return f'persistentvolumeclaim "{name}" is being deleted'
    owner = controller_of(claim.metadata)
    if each.is_ephemeral and (owner is None or owner.uid != pod.uid):
        whose = f"PVC {_shown(each.key)} was not created for pod {pod.key}"
        return f"{whose} (pod is not owner)"
    return ""


def _waits(claim: PersistentVolumeClaim, storage: Storage) -> bool:
    """Whether a claim that is not bound is bound when its pod gets a node; one that names a volume is not."""
    return not claim.spec.volumeName and waits_for_consumer(storage.classes.get(class_of_claim(claim)))


def _bound_reasons(claims: Iterable[PersistentVolumeClaim], node: Node, storage: Storage) -> Iterator[str]:
    """Yield what is wrong with the first volume that is not right."""
    for claim in claims:
        volume = storage.volume(claim.spec.volumeName)
        if volume is None:
            yield NO_VOLUME
            return
        if not is_reachable_from(volume, node):
            yield NODE_CONFLICT
            return


def _free_volume(
    claim: PersistentVolumeClaim, bindings: Sequence[Binding], node: Node, storage: Storage
) -> PersistentVolume | None:
    taken = {each.volume.metadata.name for each in bindings}
    return find_volume_for_node(claim, storage.volumes_of_class(class_of_claim(claim)), node, taken)


def _why_not_made(claim: PersistentVolumeClaim, labels: Mapping[str, str], storage: Storage) -> str:
    """Return why no volume is made for a claim on a node with these labels, "" where one is."""
    storage_class = storage.classes.get(class_of_claim(claim))
    if storage_class is None or not _makes_for(storage_class, labels):
        return BIND_CONFLICT
    name, driver = storage_class.metadata.name, storage_class.provisioner
    return "" if storage.capacities.suffice(driver, name, size_of_claim(claim), labels) else NO_SPACE


def _makes_for(storage_class: StorageClass, labels: Mapping[str, str]) -> bool:
    """Whether a class makes volumes for a node with these labels."""
    if storage_class.provisioner in {"", NO_PROVISIONER}:
        return False
    terms = storage_class.allowedTopologies
    return not terms or any(
        all(labels.get(each.key) in each.values for each in term.matchLabelExpressions) for term in terms
    )


def _as_node(node: NodeInfo) -> Node:
    return Node(metadata=ObjectMeta(name=node.name, labels=node.labels))


def _key(claim: PersistentVolumeClaim) -> ClaimKey:
    return claim.metadata.namespace, claim.metadata.name


def _shown(key: ClaimKey) -> str:
    return "/".join(key)


@dataclass(frozen=True, slots=True)
class PodClaims:
    """The claims of a pod, by what is known of storage at a version."""

    version: int
    keys: tuple[ClaimKey, ...]
    claims: Claims = field(compare=False)
    storage: Storage = field(compare=False)

    def judge(self, node: NodeInfo) -> Rejection | None:
        """Return why a node cannot take the pod with its volumes, None where it can."""
        return judge(self.claims, node, self.storage)


class VolumeBinding(Plugin):
    """Filters nodes by the volumes that can be had there, and reserves them.

    `within_s` is how long a pod with a node waits for its claims, in cluster seconds; None for the process's own setting.
    """

    name = NAME
    helped_by = frozenset({ClusterEvent.NODE_ADDED, ClusterEvent.NODE_LABELS}) | OF_STORAGE

    def __init__(self, within_s: float | None = None) -> None:
        self.within_s = within_s

    def asks_each(self, needs: Needs) -> bool:
        """Whether pods of a template have claims."""
        return bool(needs.claims)

    def need(self, pod: PodInfo, snapshot: Snapshot) -> PodClaims | Stopped | None:
        """Return the claims; with one that is not right no node can take the pod. None for a pod without any."""
        if not pod.needs.claims:
            return None
        storage = snapshot.storage
        claims = read_claims(pod, storage)
        if isinstance(claims, str):
            return Stopped(NAME, claims)
        return PodClaims(storage.version, tuple(each.key for each in pod.claims), claims, storage)

    def filter(self, need: PodClaims, snapshot: Snapshot) -> Filter:
        """Return the filter."""
        del snapshot
        return Filter(need.judge)

    def reserve(self, pod: PodInfo, need: PodClaims, node: NodeInfo, snapshot: Snapshot) -> PodVolumes | None:
        """Return what is given to the claims."""
        del pod
        found = choose(need.claims, node, snapshot.storage)
        return None if isinstance(found, str) or found == NO_VOLUMES else found

    def keep(self, reserved: PodVolumes, node: str, snapshot: Snapshot) -> None:
        """Count the volumes as given away."""
        snapshot.storage.reserve(reserved, node)

    def release(self, reserved: PodVolumes, snapshot: Snapshot) -> None:
        """Count them as free."""
        snapshot.storage.release(reserved)

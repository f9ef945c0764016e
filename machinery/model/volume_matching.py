"""Which volume suits a claim: the rules that the binder of volumes and the scheduler share.

Kubernetes keeps them in k8s.io/component-helpers/storage/volume.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from fractions import Fraction
from typing import Final

from machinery.model import quantity
from machinery.model.k8s.core_v1 import Node, PersistentVolume, PersistentVolumeClaim
from machinery.model.k8s.storage_v1 import StorageClass
from machinery.model.placement import matches_term
from machinery.model.selectors import from_selector
from machinery.model.storage import IS_DEFAULT_CLASS, OLD_CLASS, OLD_IS_DEFAULT_CLASS, WAIT_FOR_FIRST_CONSUMER

AVAILABLE: Final = "Available"
_FILESYSTEM: Final = "Filesystem"


def class_of_claim(claim: PersistentVolumeClaim) -> str:
    """Return the name of a claim's class; "" for none, or for one that is not decided yet."""
    return claim.metadata.annotations.get(OLD_CLASS, claim.spec.storageClassName or "")


def has_class(claim: PersistentVolumeClaim) -> bool:
    """Whether a claim says which class it wants, if only that it wants none."""
    return OLD_CLASS in claim.metadata.annotations or claim.spec.storageClassName is not None


def class_of_volume(volume: PersistentVolume) -> str:
    """Return the name of a volume's class, "" for none."""
    return volume.metadata.annotations.get(OLD_CLASS, volume.spec.storageClassName)


def waits_for_consumer(storage_class: StorageClass | None) -> bool:
    """Whether the claims of a class are bound when a pod that uses them is given a node."""
    return storage_class is not None and storage_class.volumeBindingMode == WAIT_FOR_FIRST_CONSUMER


def default_class(classes: Iterable[StorageClass]) -> StorageClass | None:
    """Return the newest class that is marked as the default one, the first by name of equally old ones."""
    marked = [each for each in classes if is_default(each)]
    newest = max((each.metadata.creationTimestamp or "" for each in marked), default="")
    named = [each for each in marked if (each.metadata.creationTimestamp or "") == newest]
    return min(named, key=lambda each: each.metadata.name, default=None)


def is_default(storage_class: StorageClass) -> bool:
    """Whether a class is marked as the default one; several may be."""
    marks = storage_class.metadata.annotations
    return "true" in (marks.get(IS_DEFAULT_CLASS), marks.get(OLD_IS_DEFAULT_CLASS))


def size_of_claim(claim: PersistentVolumeClaim) -> Fraction:
    """Return how many bytes a claim asks for."""
    requests = claim.spec.resources.requests if claim.spec.resources else {}
    return quantity.parse(requests.get("storage", "0"))


def size_of_volume(volume: PersistentVolume) -> Fraction:
    """Return how many bytes a volume says it has."""
    return quantity.parse(volume.spec.capacity.get("storage", "0"))


def is_bound_to(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """Whether a volume is bound to, or reserved for, just this claim; a reference without a uid is to whoever has the name."""
    reference, meta = volume.spec.claimRef, claim.metadata
    if reference is None or (reference.namespace, reference.name) != (meta.namespace, meta.name):
        return False
    return reference.uid in {"", meta.uid}


def differs_in_mode(claim: PersistentVolumeClaim, volume: PersistentVolume) -> bool:
    """Whether one is a filesystem and the other a block device."""
    return (claim.spec.volumeMode or _FILESYSTEM) != (volume.spec.volumeMode or _FILESYSTEM)


def has_access_modes(claim: PersistentVolumeClaim, volume: PersistentVolume) -> bool:
    """Whether a volume can be used in every way that a claim asks for."""
    return set(claim.spec.accessModes) <= set(volume.spec.accessModes)


def is_reachable_from(volume: PersistentVolume, node: Node) -> bool:
    """Whether a volume's node affinity lets it be used on a node."""
    affinity = volume.spec.nodeAffinity
    if affinity is None or affinity.required is None:
        return True
    terms, meta = affinity.required.nodeSelectorTerms, node.metadata
    return any(matches_term(term, meta.labels, meta.name) for term in terms)


def refusal(claim: PersistentVolumeClaim, volume: PersistentVolume) -> str:
    """Say why a volume that a claim names cannot be bound to it, in upstream's words; "" where it can."""
    if volume.metadata.deletionTimestamp:
        return f'the volume is marked for deletion "{volume.metadata.name}"'
    if size_of_volume(volume) < size_of_claim(claim):
        return "requested PV is too small"
    if class_of_volume(volume) != class_of_claim(claim):
        return "storageClassName does not match"
    if claim.spec.volumeAttributesClassName != volume.spec.volumeAttributesClassName:
        return "volumeAttributesClassName does not match"
    if differs_in_mode(claim, volume):
        return "incompatible volumeMode"
    return "" if has_access_modes(claim, volume) else "incompatible accessMode"


def find_volume(
    claim: PersistentVolumeClaim, volumes: Iterable[PersistentVolume], *, is_delayed: bool
) -> PersistentVolume | None:
    """Return the volume that the binder gives a claim: the one that is reserved for it, or the smallest that fits.

    Volumes with fewer access modes come first, whatever their size. Where the class waits for a consumer
    (`is_delayed`), only a reserved one is found: the others are the scheduler's to give.
    """
    able = [volume for volume in volumes if has_access_modes(claim, volume)]
    by_modes: dict[tuple[str, ...], list[PersistentVolume]] = {}
    for volume in able:
        by_modes.setdefault(tuple(sorted(volume.spec.accessModes)), []).append(volume)
    for modes in sorted(by_modes, key=lambda each: (len(each), each)):
        found = _smallest(claim, by_modes[modes], lambda _volume: True, is_delayed=is_delayed)
        if found is not None:
            return found
    return None


def find_volume_for_node(
    claim: PersistentVolumeClaim,
    volumes: Iterable[PersistentVolume],
    node: Node,
    taken: Collection[str] = (),
) -> PersistentVolume | None:
    """Return the smallest volume that suits a claim and can be used on a node, without those of the names `taken`."""
    free = (each for each in volumes if each.metadata.name not in taken)
    return _smallest(
        claim,
        free,
        lambda volume: is_reachable_from(volume, node),
        is_delayed=False,
        suits=lambda volume: has_access_modes(claim, volume),
    )


def _smallest(
    claim: PersistentVolumeClaim,
    volumes: Iterable[PersistentVolume],
    is_reachable: Callable[[PersistentVolume], bool],
    *,
    is_delayed: bool,
    suits: Callable[[PersistentVolume], bool] = lambda _volume: True,
) -> PersistentVolume | None:
    """Return the volume that is reserved for a claim if it is reachable, else the smallest that may be given to it."""
    wanted, storage_class = size_of_claim(claim), class_of_claim(claim)
    matcher = from_selector(claim.spec.selector) if claim.spec.selector is not None else None
    best: tuple[Fraction, PersistentVolume] | None = None
    for volume in volumes:
        if volume.spec.claimRef is not None and not is_bound_to(volume, claim):
            continue
        size = size_of_volume(volume)
        if size < wanted or not _is_alike(claim, volume) or volume.metadata.deletionTimestamp:
            continue
        if is_bound_to(volume, claim):
            return volume if is_reachable(volume) else None
        if is_delayed or volume.status.phase != AVAILABLE or class_of_volume(volume) != storage_class:
            continue
        if matcher is not None and not matcher.matches(volume.metadata.labels):
            continue
        if (best is None or size < best[0]) and suits(volume) and is_reachable(volume):
            best = size, volume
    return best[1] if best else None


def _is_alike(claim: PersistentVolumeClaim, volume: PersistentVolume) -> bool:
    attributes = claim.spec.volumeAttributesClassName == volume.spec.volumeAttributesClassName
    return attributes and not differs_in_mode(claim, volume)

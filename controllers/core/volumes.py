"""What several controllers read of the volumes of pods, and of the claims behind them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from machinery.model.k8s.core_v1 import PersistentVolume, Pod
from machinery.model.pods import is_terminal
from machinery.model.storage import ephemeral_claim

BY_CLAIM: Final = "claim"  # the claim that a volume refers to
BY_WAITING_FOR: Final = "waiting for"  # the claims of a pod that has no node yet
POD_CLAIM_FIELDS: Final = (
    "spec.nodeName",
    "spec.volumes.ephemeral",
    "spec.volumes.name",
    "spec.volumes.persistentVolumeClaim",
    "status.phase",
)


def claim_entry(namespace: str, name: str) -> str:
    """Return how a claim stands in an index."""
    return f"{namespace}/{name}"


def by_claim(volume: PersistentVolume) -> Iterable[str]:
    """Index volumes by the claim that they refer to."""
    reference = volume.spec.claimRef
    return (claim_entry(reference.namespace, reference.name),) if reference else ()


def by_waiting_for(pod: Pod) -> Iterable[str]:
    """Index pods without a node by the claims that they use."""
    if pod.spec.nodeName or is_terminal(pod):
        return ()
    return [claim_entry(pod.metadata.namespace, name) for name in claims_of(pod)]


def claims_of(pod: Pod) -> Iterator[str]:
    """Name the claims that a pod uses, those that are made for it among them."""
    for volume in pod.spec.volumes:
        if volume.persistentVolumeClaim is not None:
            yield volume.persistentVolumeClaim.claimName
        elif volume.ephemeral is not None:
            yield ephemeral_claim(pod.metadata.name, volume.name)

"""What the plans of a pod and of a claim know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from machinery.model.k8s.core_v1 import Pod
from machinery.model.k8s.resource_v1 import ResourceClaim, ResourceClaimTemplate
from machinery.model.pods import is_terminal


@dataclass(frozen=True, slots=True)
class SeenPod:
    """A pod with claims."""

    pod: Pod
    claims: Mapping[str, ResourceClaim]  # those of its namespace that it names, or its status does
    made: Mapping[str, ResourceClaim]  # those that were made for it, by their names in the pod
    templates: Mapping[str, ResourceClaimTemplate]


@dataclass(frozen=True, slots=True)
class SeenClaim:
    """A claim."""

    claim: ResourceClaim
    pods: Mapping[
        str, Pod
    ]  # those that it is reserved for, and the one that it was made for, where they are known
    idle_since_s: float | None  # monotonic: since when it has had its finalizer and no devices


def is_done(pod: Pod) -> bool:
    """Whether no container of a pod runs, or ever will again."""
    return is_terminal(pod) or (bool(pod.metadata.deletionTimestamp) and not pod.spec.nodeName)

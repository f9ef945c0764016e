"""Constraints that Kubernetes knows and no plugin here understands: such a pod stays Pending and says why.

Preferences among them count, too: a pod that was placed without regard to one would look well placed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from machinery.model.k8s.core_v1 import Affinity, PodAffinityTerm, PodSpec
from machinery.model.selectors import from_selector

_RESTRICTED_VOLUMES: Final = (
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "iscsi",
    "rbd",
)  # of one pod on a node


def unbuilt_constraints(spec: PodSpec) -> tuple[str, ...]:
    """List the fields of a spec that constrain the choice of a node and are not understood."""
    return tuple(f"{field} is not built in Kubarium" for field in _fields(spec))


def _fields(spec: PodSpec) -> Iterator[str]:
    affinity = spec.affinity or Affinity()
    if affinity.podAffinity and _has_terms(affinity.podAffinity):
        yield "scheduling by spec.affinity.podAffinity"
    if affinity.podAntiAffinity and _has_terms(affinity.podAntiAffinity):
        yield "scheduling by spec.affinity.podAntiAffinity"
    if spec.schedulingGroup:
        yield "scheduling by spec.schedulingGroup"
    for volume in spec.volumes:
        for kind in _RESTRICTED_VOLUMES:
            if getattr(volume, kind) is not None:
                yield f'scheduling by the {kind} of volume "{volume.name}"'


def _has_terms(affinity: object) -> bool:
    return bool(
        getattr(affinity, "requiredDuringSchedulingIgnoredDuringExecution", None)
        or getattr(affinity, "preferredDuringSchedulingIgnoredDuringExecution", None)
    )


def repelled(namespace: str, labels: dict[str, str], terms: Iterable[tuple[str, PodAffinityTerm]]) -> bool:
    """Whether the required anti-affinity of a pod that runs already may concern this pod.

    `terms` come with the namespace of the pod that has them. A namespaceSelector is taken to match, since what it
    selects is not known here.
    """
    return any(
        (owner_namespace == namespace or namespace in term.namespaces or term.namespaceSelector is not None)
        and from_selector(term.labelSelector).matches(labels)
        for owner_namespace, term in terms
    )

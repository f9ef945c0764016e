"""The part of a pod that scheduling looks at: a cluster's pods have to fit into memory.

Pods of a template differ in their names, their node and the volume of their token. All else of them is there once: of
50,000 pods that would each have had 6.5 kB, each has 1 kB.
"""

from __future__ import annotations

from typing import Final, TypeVar

from msgspec import structs
from msgspec.json import Encoder

from machinery.model.fields import trimmer
from machinery.model.k8s.core_v1 import Pod, PodSpec, PodStatus, Volume
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.pods import as_reserved
from scheduler.core.pod import DISRUPTION_TARGET

T = TypeVar("T")

_TABLE_LIMIT: Final = 10_000
_FIELDS: Final = (
    "metadata.deletionTimestamp",
    "metadata.generation",
    "metadata.labels",
    "metadata.ownerReferences",
    *(
        f"spec.{containers}.{field}"
        for containers in ("containers", "initContainers")
        for field in ("name", "image", "ports", "resources", "restartPolicy")
    ),
    "spec.affinity",
    "spec.hostNetwork",
    "spec.nodeName",
    "spec.nodeSelector",
    "spec.overhead",
    "spec.preemptionPolicy",
    "spec.priority",
    "spec.resourceClaims",
    "spec.resources",
    "spec.schedulerName",
    "spec.schedulingGates",
    "spec.schedulingGroup",
    "spec.tolerations",
    "spec.topologySpreadConstraints",
    "spec.volumes",
)
_trim: Final = trimmer(Pod, _FIELDS)
_WITHOUT_PLACE: Final = ("configMap", "downwardAPI", "emptyDir", "hostPath", "projected", "secret")
"""Volumes that any node has; of those that hold tokens no two have one name."""
_OF_THE_PLACED: Final = frozenset({DISRUPTION_TARGET})
_OF_THE_WAITING: Final = _OF_THE_PLACED | {"PodScheduled"}
_NO_STATUS: Final = PodStatus()  # whose empty lists all share
_encode: Final = Encoder().encode


class Essentials:
    """Reduces pods, and shares what they have in common; one for each cache of pods."""

    def __init__(self) -> None:
        self._specs: dict[bytes, PodSpec] = {}
        self._metas: dict[bytes, ObjectMeta] = {}

    def of(self, pod: Pod) -> Pod:
        """Return what scheduling looks at."""
        own = essential(pod)
        return structs.replace(own, metadata=self._meta(own.metadata), spec=self._spec(own.spec))

    def _spec(self, own: PodSpec) -> PodSpec:
        key = _encode(structs.replace(own, nodeName=""))
        known = _shared(self._specs, key, own)
        return known if known.nodeName == own.nodeName else structs.replace(known, nodeName=own.nodeName)

    def _meta(self, own: ObjectMeta) -> ObjectMeta:
        key = _encode((own.namespace, own.labels, own.ownerReferences))
        known = _shared(self._metas, key, own)
        return structs.replace(
            own,
            namespace=known.namespace,
            labels=known.labels,
            ownerReferences=known.ownerReferences,
            annotations=known.annotations,
            finalizers=known.finalizers,
        )


def _shared(table: dict[bytes, T], key: bytes, value: T) -> T:
    if len(table) >= _TABLE_LIMIT:
        table.clear()
    return table.setdefault(key, value)


def essential(pod: Pod) -> Pod:
    """Return the part of a pod that scheduling looks at; one that is being resized asks for what its node keeps for it."""
    whole, of_interest = pod.status, _OF_THE_PLACED if pod.spec.nodeName else _OF_THE_WAITING
    status = structs.replace(
        _NO_STATUS,
        phase=whole.phase,
        conditions=[each for each in whole.conditions if each.type in of_interest] or _NO_STATUS.conditions,
        nominatedNodeName=whole.nominatedNodeName,
        resourceClaimStatuses=whole.resourceClaimStatuses or _NO_STATUS.resourceClaimStatuses,
        startTime=whole.startTime,
    )
    trimmed = _trim(as_reserved(pod))
    if volumes := trimmed.spec.volumes:
        kept = [each for each in volumes if _has_place(each)]
        trimmed = structs.replace(trimmed, spec=structs.replace(trimmed.spec, volumes=kept))
    return structs.replace(trimmed, status=status)


def _has_place(volume: Volume) -> bool:
    return all(getattr(volume, kind) is None for kind in _WITHOUT_PLACE)

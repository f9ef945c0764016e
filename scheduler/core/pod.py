"""A pod as the scheduler sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from machinery.model.k8s.core_v1 import Container, Pod, PodSpec, PodStatus
from machinery.model.k8s.meta_v1 import ObjectMeta, OwnerReference
from machinery.model.owners import controller_of
from machinery.model.requests import revision_of
from scheduler.core.needs import Needs, read_needs, spec_key

_TABLE_LIMIT: Final = 10_000


class LabelSet:
    """Labels in a namespace, as a key that is cheap to look up: pods of one template share it."""

    __slots__ = ("_content", "_hash", "labels", "namespace")

    def __init__(self, namespace: str, labels: dict[str, str]) -> None:
        self.namespace = namespace
        self.labels = labels
        self._content = (namespace, frozenset(labels.items()))
        self._hash = hash(self._content)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, LabelSet) and self._content == other._content)


@dataclass(frozen=True, slots=True)
class PodInfo:
    """What decisions need to know of one pod."""

    uid: str
    namespace: str
    name: str
    revision: int
    node: str  # "" while it has none
    priority: int
    preempts: bool  # spec.preemptionPolicy is not Never
    is_terminating: bool
    gates: tuple[str, ...]
    labels: LabelSet
    owner: OwnerReference | None  # the one that manages it
    needs: Needs

    @property
    def key(self) -> str:
        """The pod in logs and messages, "namespace/name"."""
        return f"{self.namespace}/{self.name}"

    def on(self, node: str) -> PodInfo:
        """Give the pod as it will be, bound to a node."""
        return PodInfo(
            self.uid,
            self.namespace,
            self.name,
            self.revision,
            node,
            self.priority,
            self.preempts,
            self.is_terminating,
            self.gates,
            self.labels,
            self.owner,
            self.needs,
        )

    def asks_as(self, other: PodInfo) -> bool:
        """Tell whether a decision about the other pod would be one about this pod."""
        return self.needs == other.needs and self.labels == other.labels and self.gates == other.gates


class PodReader:
    """Reads pods; templates and label sets that it has seen are shared."""

    def __init__(self) -> None:
        self._needs: dict[bytes, Needs] = {}
        self._labels: dict[LabelSet, LabelSet] = {}

    def read(self, pod: Pod) -> PodInfo:
        """Read a pod."""
        meta, spec = pod.metadata, pod.spec
        return PodInfo(
            uid=meta.uid,
            namespace=meta.namespace,
            name=meta.name,
            revision=revision_of(meta),
            node=spec.nodeName,
            priority=spec.priority or 0,
            preempts=spec.preemptionPolicy != "Never",
            is_terminating=meta.deletionTimestamp is not None,
            gates=tuple(gate.name for gate in spec.schedulingGates),
            labels=self._shared_labels(meta),
            owner=controller_of(meta),
            needs=self._shared_needs(spec),
        )

    def _shared_needs(self, spec: PodSpec) -> Needs:
        key = spec_key(spec)
        if (known := self._needs.get(key)) is not None:
            return known
        if len(self._needs) >= _TABLE_LIMIT:
            self._needs.clear()
        return self._needs.setdefault(key, read_needs(spec, key))

    def _shared_labels(self, meta: ObjectMeta) -> LabelSet:
        if len(self._labels) >= _TABLE_LIMIT:
            self._labels.clear()
        labels = LabelSet(meta.namespace, meta.labels)
        return self._labels.setdefault(labels, labels)


def essential(pod: Pod) -> Pod:
    """Give the part of a pod that scheduling looks at: a cluster's pods have to fit into memory."""
    meta, spec = pod.metadata, pod.spec
    return msgspec.structs.replace(
        pod,
        metadata=ObjectMeta(
            name=meta.name,
            namespace=meta.namespace,
            uid=meta.uid,
            resourceVersion=meta.resourceVersion,
            generation=meta.generation,
            labels=meta.labels,
            deletionTimestamp=meta.deletionTimestamp,
            ownerReferences=meta.ownerReferences,
        ),
        spec=PodSpec(
            containers=[_essential(each) for each in spec.containers],
            initContainers=[_essential(each) for each in spec.initContainers],
            nodeName=spec.nodeName,
            nodeSelector=spec.nodeSelector,
            affinity=spec.affinity,
            tolerations=spec.tolerations,
            topologySpreadConstraints=spec.topologySpreadConstraints,
            overhead=spec.overhead,
            resources=spec.resources,
            hostNetwork=spec.hostNetwork,
            priority=spec.priority,
            preemptionPolicy=spec.preemptionPolicy,
            schedulerName=spec.schedulerName,
            schedulingGates=spec.schedulingGates,
            schedulingGroup=spec.schedulingGroup,
            resourceClaims=spec.resourceClaims,
            volumes=spec.volumes,
        ),
        status=PodStatus(
            phase=pod.status.phase,
            conditions=[each for each in pod.status.conditions if each.type == "PodScheduled"],
        ),
    )


def _essential(container: Container) -> Container:
    return Container(
        name=container.name,
        image=container.image,
        ports=container.ports,
        resources=container.resources,
        restartPolicy=container.restartPolicy,
    )

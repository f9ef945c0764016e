"""A pod as the scheduler sees it."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Final, NamedTuple, TypeAlias

import msgspec

from machinery.model.clock import Timescale
from machinery.model.conditions import find
from machinery.model.device_claims import PodClaim as DeviceClaim
from machinery.model.device_claims import pod_claims
from machinery.model.k8s.core_v1 import Pod, PodSpec
from machinery.model.k8s.meta_v1 import ObjectMeta, OwnerReference
from machinery.model.owners import controller_of
from machinery.model.requests import revision_of
from machinery.model.storage import ephemeral_claim
from scheduler.core.affinity import NO_TERMS, OwnTerms, read_terms
from scheduler.core.labels import LabelSet
from scheduler.core.needs import Needs, read_needs, spec_key

_TABLE_LIMIT: Final = 10_000


DEFAULT_SCHEDULER: Final = "default-scheduler"
DISRUPTION_TARGET: Final = "DisruptionTarget"  # the condition of a pod that somebody is about to delete
PREEMPTED: Final = "PreemptionByScheduler"  # its reason, where this is for a pod of higher priority
NOT_STARTED: Final = math.inf  # counts as the latest start
_UNSCALED: Final = Timescale()


def scheduler_of(pod: Pod) -> str:
    """Return the name of the profile that a pod asks for."""
    return pod.spec.schedulerName or DEFAULT_SCHEDULER


ClaimKey: TypeAlias = tuple[str, str]
"""(namespace, name) of a PersistentVolumeClaim, or of a ResourceClaim."""


class PodClaim(NamedTuple):
    """A claim of a pod; one that is ephemeral is made for it, and goes with it."""

    key: ClaimKey
    is_ephemeral: bool


class PodInfo(msgspec.Struct, frozen=True, gc=False):
    """What decisions need to know of one pod: there is one for each pod, and two for each decision. Refers to no other PodInfo."""

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
    device_claims: tuple[DeviceClaim, ...] = ()
    scheduler_name: str = DEFAULT_SCHEDULER
    terms: OwnTerms = NO_TERMS  # of affinity between pods
    nominated: str = ""  # status.nominatedNodeName
    started_s: float = NOT_STARTED  # status.startTime, in cluster seconds of scale 1
    is_preempted: bool = False  # it is being deleted since a pod of higher priority was to have its place

    @property
    def kind(self) -> Hashable:
        """What pods of one template and owner have in common: all that most plugins look at."""
        return self.needs.key, self.labels, self.owner.name if self.owner else "", self.scheduler_name

    @property
    def key(self) -> str:
        """The pod in logs and messages, "namespace/name"."""
        return f"{self.namespace}/{self.name}"

    @property
    def claims(self) -> list[PodClaim]:
        """The claims of the pod's volumes, in their order."""
        return [
            PodClaim((self.namespace, ephemeral_claim(self.name, name) if is_made else name), is_made)
            for name, is_made in self.needs.claims
        ]

    def uses(self, claim: ClaimKey) -> bool:
        """Whether a volume of the pod stands for a claim."""
        return any(each.key == claim for each in self.claims)

    def asks_for_devices_of(self, claim: ClaimKey) -> bool:
        """Whether a ResourceClaim is one of the pod's."""
        return claim[0] == self.namespace and any(each.object == claim[1] for each in self.device_claims)

    def on(self, node: str) -> PodInfo:
        """Return the pod as it will be, bound to a node."""
        return msgspec.structs.replace(self, node=node)

    def ends_as(self, other: PodInfo) -> bool:
        """Whether preemption would see in the other pod what it sees in this one: how long it runs, and whether it is leaving."""
        return (self.started_s, self.is_terminating, self.is_preempted) == (
            other.started_s,
            other.is_terminating,
            other.is_preempted,
        )

    def asks_as(self, other: PodInfo) -> bool:
        """Whether a decision about the other pod would be one about this pod."""
        return (
            self.needs == other.needs
            and self.labels == other.labels
            and self.gates == other.gates
            and self.device_claims == other.device_claims
        )


def _is_preempted(pod: Pod) -> bool:
    condition = find(pod.status.conditions, DISRUPTION_TARGET)
    return condition is not None and (condition.status, condition.reason) == ("True", PREEMPTED)


class PodReader:
    """Reads pods; templates and label sets that it has seen are shared."""

    def __init__(self) -> None:
        self._needs: dict[bytes, Needs] = {}
        self._labels: dict[LabelSet, LabelSet] = {}
        self._terms: dict[tuple[bytes, str], OwnTerms] = {}

    def read(self, pod: Pod) -> PodInfo:
        """Read a pod."""
        meta, spec = pod.metadata, pod.spec
        needs = self._shared_needs(spec)
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
            needs=needs,
            device_claims=tuple(pod_claims(pod)) if spec.resourceClaims else (),
            scheduler_name=scheduler_of(pod),
            terms=self._shared_terms(needs, meta.namespace) if needs.has_terms else NO_TERMS,
            nominated=pod.status.nominatedNodeName,
            started_s=_UNSCALED.parse(pod.status.startTime) if pod.status.startTime else NOT_STARTED,
            is_preempted=meta.deletionTimestamp is not None and _is_preempted(pod),
        )

    def _shared_needs(self, spec: PodSpec) -> Needs:
        key = spec_key(spec)
        if (known := self._needs.get(key)) is not None:
            return known
        if len(self._needs) >= _TABLE_LIMIT:
            self._needs.clear()
        return self._needs.setdefault(key, read_needs(spec, key))

    def _shared_terms(self, needs: Needs, namespace: str) -> OwnTerms:
        key = (needs.key, namespace)
        known = self._terms.get(key)
        if known is None:
            if len(self._terms) >= _TABLE_LIMIT:
                self._terms.clear()
            known = self._terms[key] = read_terms(needs.pod_affinity, needs.pod_anti_affinity, namespace)
        return known

    def _shared_labels(self, meta: ObjectMeta) -> LabelSet:
        if len(self._labels) >= _TABLE_LIMIT:
            self._labels.clear()
        labels = LabelSet(meta.namespace, meta.labels)
        return self._labels.setdefault(labels, labels)

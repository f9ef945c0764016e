"""What the controller of device claims watches and looks at. Its keys are of pods and of claims."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from controllers.core.actions import Facts, Plan
from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Noted, Settings, Watched
from controllers.core.moment import Moment
from controllers.resource_claim.claim_plan import plan_claim
from controllers.resource_claim.pod_plan import plan_pod
from controllers.resource_claim.seen import SeenClaim, SeenPod, is_done
from machinery.model.device_claims import CLAIM_FINALIZER, POD_CLAIM_NAME, pod_claims
from machinery.model.k8s.core_v1 import Pod
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.k8s.resource_v1 import ResourceClaim, ResourceClaimTemplate
from machinery.model.owners import controller_of, is_controlled_by
from machinery.model.requests import EventType
from machinery.model.resources import PODS, RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS
from machinery.model.store import Change

POD: Final = "pod"
CLAIM: Final = "claim"
_BY_DEVICE_CLAIM: Final = "device claim"
_BY_DEVICE_TEMPLATE: Final = "template of device claims"
_BY_POD: Final = "pod"  # the uid of the pod that it was made for
_POD_FIELDS: Final = (
    "spec.nodeName",
    "spec.resourceClaims",
    "status.phase",
    "status.resourceClaimStatuses",
)
_CLAIM_FIELDS: Final = (
    f"metadata.annotations[{POD_CLAIM_NAME}]",
    "status.allocation.allocationTimestamp",  # whether there is an allocation: nothing of it is read
    "status.reservedFor",
)
Seen: TypeAlias = SeenPod | SeenClaim


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    claims = _Claims(caches)
    return Controller(
        "resource_claim",
        (
            Watched(claims.pods, claims.of_pod),
            Watched(claims.claims, claims.of_claim),
            Watched(claims.templates, claims.of_template),
        ),
        claims.look,
        _plan,
        notes=(Noted(claims.claims, claims.note),),
        workers=5,
        writes=frozenset(
            {
                "create resourceclaims.resource.k8s.io",
                "delete resourceclaims.resource.k8s.io",
                "patch resourceclaims.resource.k8s.io",
                "patch resourceclaims.resource.k8s.io/status",
                "patch pods/status",
            }
        ),
    )


def _plan(seen: Seen, moment: Moment, facts: Facts) -> Plan:
    return plan_pod(seen, facts) if isinstance(seen, SeenPod) else plan_claim(seen, moment, facts)


class _Claims:
    """The caches, and since when claims have been without devices."""

    def __init__(self, caches: Caches) -> None:
        self.pods = caches.ask(
            PODS, fields=_POD_FIELDS, indexes={_BY_DEVICE_CLAIM: _by_claim, _BY_DEVICE_TEMPLATE: _by_template}
        )
        self.claims = caches.ask(RESOURCE_CLAIMS, fields=_CLAIM_FIELDS, indexes={_BY_POD: _by_pod})
        self.templates = caches.ask(RESOURCE_CLAIM_TEMPLATES)
        self._idle_since_s: dict[tuple[str, str], float] = {}

    def note(self, change: Change[ResourceClaim], now_s: float) -> None:
        """Remember since when a claim has had its finalizer and no devices."""
        meta = change.object.metadata
        if change.kind is not EventType.DELETED and _is_idle(change.object):
            self._idle_since_s.setdefault((meta.namespace, meta.name), now_s)
        else:
            self._idle_since_s.pop((meta.namespace, meta.name), None)

    def of_pod(self, change: Change[Pod]) -> Iterator[Key]:
        """Return a pod with claims, and its claims when it does not need them any more."""
        pod = change.object
        if not pod.spec.resourceClaims:
            return
        namespace = pod.metadata.namespace
        if change.kind is EventType.DELETED or is_done(pod):
            for name in _names(pod):
                yield CLAIM, namespace, name
        if change.kind is not EventType.DELETED:
            yield POD, namespace, pod.metadata.name

    def of_claim(self, change: Change[ResourceClaim]) -> Iterator[Key]:
        """Return a claim, the pods that use it, and the one that it was made for."""
        meta = change.object.metadata
        if change.kind is not EventType.DELETED:
            yield CLAIM, meta.namespace, meta.name
        for pod in self.pods.store.by_index(_BY_DEVICE_CLAIM, _entry(meta.namespace, meta.name)):
            yield POD, meta.namespace, pod.metadata.name
        owner = controller_of(meta)
        if owner is not None and owner.kind == "Pod":
            yield POD, meta.namespace, owner.name

    def of_template(self, change: Change[ResourceClaimTemplate]) -> Iterator[Key]:
        """Return the pods that may have waited for a new template."""
        if change.kind is not EventType.ADDED:
            return
        meta = change.object.metadata
        for pod in self.pods.store.by_index(_BY_DEVICE_TEMPLATE, _entry(meta.namespace, meta.name)):
            yield POD, meta.namespace, pod.metadata.name

    def look(self, key: Key, _moment: Moment) -> Seen | None:
        """Return what a plan may know; None for what is gone."""
        what, namespace, name = key
        return self._pod(namespace, name) if what == POD else self._claim(namespace, name)

    def _pod(self, namespace: str, name: str) -> SeenPod | None:
        pod = self.pods.store.get(namespace, name)
        if pod is None:
            return None
        named = [self.claims.store.get(namespace, each) for each in _names(pod)]
        templates = [
            self.templates.store.get(namespace, each.resourceClaimTemplateName)
            for each in pod.spec.resourceClaims
        ]
        return SeenPod(
            pod,
            {each.metadata.name: each for each in named if each is not None},
            {
                each.metadata.annotations[POD_CLAIM_NAME]: each
                for each in self.claims.store.by_index(_BY_POD, pod.metadata.uid)
                if is_controlled_by(each.metadata, pod) and not each.metadata.deletionTimestamp
            },
            {each.metadata.name: each for each in templates if each is not None},
        )

    def _claim(self, namespace: str, name: str) -> SeenClaim | None:
        claim = self.claims.store.get(namespace, name)
        if claim is None:
            return None
        owner = controller_of(claim.metadata)
        names = {each.name for each in claim.status.reservedFor} | ({owner.name} if owner else set())
        pods = [self.pods.store.get(namespace, each) for each in names]
        return SeenClaim(
            claim,
            {pod.metadata.name: pod for pod in pods if pod is not None},
            self._idle_since_s.get((namespace, name)),
        )


def _is_idle(claim: ResourceClaim) -> bool:
    return CLAIM_FINALIZER in claim.metadata.finalizers and claim.status.allocation is None


def _names(pod: Pod) -> list[str]:
    return [each.object for each in pod_claims(pod) if each.object]


def _entry(namespace: str, name: str) -> str:
    return f"{namespace}/{name}"


def _by_claim(pod: Pod) -> Iterable[str]:
    """Index pods by the claims that they use."""
    return [_entry(pod.metadata.namespace, name) for name in _names(pod)] if pod.spec.resourceClaims else ()


def _by_template(pod: Pod) -> Iterable[str]:
    """Index pods by the templates of their claims."""
    namespace = pod.metadata.namespace
    names = (each.resourceClaimTemplateName for each in pod.spec.resourceClaims)
    return {_entry(namespace, name) for name in names if name} if pod.spec.resourceClaims else ()


def _by_pod(claim: ResourceClaim) -> Iterable[str]:
    """Index the claims that this controller has made by the pod that it made them for."""
    meta: ObjectMeta = claim.metadata
    owner = controller_of(meta)
    return (owner.uid,) if owner is not None and POD_CLAIM_NAME in meta.annotations else ()

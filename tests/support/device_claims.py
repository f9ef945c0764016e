"""Claims of devices, the pods that use them, and what the scheduler writes of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from controllers.resource_claim.claim_plan import IDLE_S
from machinery.client.api import Api
from machinery.model.device_claims import CLAIM_FINALIZER, pod_claims, user_of_claim
from machinery.model.k8s.core_v1 import Pod, PodResourceClaim
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.k8s.resource_v1 import (
    DeviceClaim,
    DeviceRequest,
    ExactDeviceRequest,
    ResourceClaim,
    ResourceClaimSpec,
    ResourceClaimTemplate,
    ResourceClaimTemplateSpec,
)
from machinery.model.requests import DeleteOptions
from machinery.model.resources import PODS, RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS
from tests.support import builders
from tests.support.builders import changed, meta
from tests.support.controller_crashes import CrashWorld

ALLOCATED: dict[str, Any] = {
    "devices": {
        "results": [{"request": "card", "driver": "cards.example.com", "pool": "node-1", "device": "card-0"}]
    }
}


def claim_spec(*requests: DeviceRequest, **fields: Any) -> ResourceClaimSpec:
    """Return what a claim asks for: one card, where nothing else is said."""
    one = ExactDeviceRequest(deviceClassName="card", allocationMode="ExactCount", count=1)
    asked = list(requests) or [DeviceRequest(name="card", exactly=one)]
    return ResourceClaimSpec(devices=DeviceClaim(requests=asked, **fields))


def claim(name: str, spec: ResourceClaimSpec | None = None, **fields: Any) -> ResourceClaim:
    """Return a claim in the namespace default."""
    return changed(ResourceClaim(metadata=meta(name, "default"), spec=spec or claim_spec()), **fields)


def template(name: str, **metadata: Any) -> ResourceClaimTemplate:
    """Return a template in the namespace default."""
    spec = ResourceClaimTemplateSpec(spec=claim_spec(), metadata=ObjectMeta(**metadata))
    return ResourceClaimTemplate(metadata=meta(name, "default"), spec=spec)


def pod(name: str, *, own: str = "", shared: str = "", **fields: Any) -> Pod:
    """Return a pod with a claim from a template, one that there is, or both."""
    claims = [PodResourceClaim(name="own", resourceClaimTemplateName=own)] if own else []
    claims += [PodResourceClaim(name="shared", resourceClaimName=shared)] if shared else []
    return changed(builders.pod(name, **fields), spec__resourceClaims=claims)


async def allocate(api: Api, name: str, users: Iterable[Pod]) -> None:
    """Write that a claim has its devices, and which pods it is reserved for."""
    held = {"metadata": {"finalizers": [CLAIM_FINALIZER]}}
    await api.patch(RESOURCE_CLAIMS, name, held, namespace="default")
    reserved = [msgspec.to_builtins(user_of_claim(each.metadata)) for each in users]
    status = {"status": {"allocation": ALLOCATED, "reservedFor": reserved}}
    await api.patch(RESOURCE_CLAIMS, name, status, namespace="default", subresource="status")


async def devices_are_used_and_freed(world: CrashWorld) -> None:
    """A pod has a claim of its own and one that another pod uses, too; both end, one by being deleted."""
    await world.server.given(RESOURCE_CLAIM_TEMPLATES, template("card"))
    await world.server.given(RESOURCE_CLAIMS, claim("shared"))
    for name in ("first", "second"):
        await world.server.given(PODS, pod(name, own="card", shared="shared"))
    await world.settle()
    shown = [await world.user.get(PODS, name, namespace="default") for name in ("first", "second")]
    owned = [each.object or "" for seen in shown for each in pod_claims(seen) if each.is_made]
    assert len({*owned, ""}) == 3
    for name, users in ((owned[0], shown[:1]), (owned[1], shown[1:]), ("shared", shown)):
        await allocate(world.user, name, users)
    end = {"status": {"phase": "Succeeded"}}
    await world.user.patch(PODS, "first", end, namespace="default", subresource="status")
    await world.settle()
    for name in ("first", "second"):
        await world.user.delete(PODS, name, namespace="default", options=DeleteOptions(grace_period_s=0))
    await world.settle(2 * IDLE_S)
    left = {each.metadata.name: each for each in (await world.user.list(RESOURCE_CLAIMS)).items}
    assert sorted(left) == sorted([owned[1], "shared"])  # nobody collects what a pod leaves here
    assert not any(each.metadata.finalizers or each.status.allocation for each in left.values())

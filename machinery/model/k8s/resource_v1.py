"""Kubernetes v1.36.0 resource/v1, made by tools/gen_k8s.py; not to be edited."""

# ruff: noqa
from __future__ import annotations

from typing import Any

import msgspec

from machinery.model.k8s import core_v1, meta_v1


class OpaqueDeviceConfiguration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.OpaqueDeviceConfiguration."""

    driver: str
    parameters: Any


class DeviceClassConfiguration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.DeviceClassConfiguration."""

    opaque: OpaqueDeviceConfiguration | None = None


class CELDeviceSelector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.CELDeviceSelector."""

    expression: str


class DeviceSelector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.DeviceSelector."""

    cel: CELDeviceSelector | None = None


class DeviceClassSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.DeviceClassSpec."""

    config: list[DeviceClassConfiguration] = []
    extendedResourceName: str = ""
    selectors: list[DeviceSelector] = []


class DeviceClass(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.DeviceClass."""

    apiVersion: str = msgspec.field(default_factory=lambda: "resource.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "DeviceClass")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: DeviceClassSpec


class DeviceClaimConfiguration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.DeviceClaimConfiguration."""

    opaque: OpaqueDeviceConfiguration | None = None
    requests: list[str] = []


class DeviceConstraint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.DeviceConstraint."""

    distinctAttribute: str = ""
    matchAttribute: str = ""
    requests: list[str] = []


class CapacityRequirements(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.CapacityRequirements."""

    requests: dict[str, str] = {}


class DeviceToleration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.DeviceToleration."""

    effect: str = ""
    key: str = ""
    operator: str = ""
    tolerationSeconds: int | None = None
    value: str = ""


class ExactDeviceRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.ExactDeviceRequest."""

    adminAccess: bool | None = None
    allocationMode: str = ""
    capacity: CapacityRequirements | None = None
    count: int | None = None
    deviceClassName: str
    selectors: list[DeviceSelector] = []
    tolerations: list[DeviceToleration] = []


class DeviceSubRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.DeviceSubRequest."""

    allocationMode: str = ""
    capacity: CapacityRequirements | None = None
    count: int | None = None
    deviceClassName: str
    name: str
    selectors: list[DeviceSelector] = []
    tolerations: list[DeviceToleration] = []


class DeviceRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.DeviceRequest."""

    exactly: ExactDeviceRequest | None = None
    firstAvailable: list[DeviceSubRequest] = []
    name: str


class DeviceClaim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.DeviceClaim."""

    config: list[DeviceClaimConfiguration] = []
    constraints: list[DeviceConstraint] = []
    requests: list[DeviceRequest] = []


class ResourceClaimSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.ResourceClaimSpec."""

    devices: DeviceClaim | None = None


class DeviceAllocationConfiguration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.DeviceAllocationConfiguration."""

    opaque: OpaqueDeviceConfiguration | None = None
    requests: list[str] = []
    source: str


class DeviceRequestAllocationResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.DeviceRequestAllocationResult."""

    adminAccess: bool | None = None
    bindingConditions: list[str] = []
    bindingFailureConditions: list[str] = []
    consumedCapacity: dict[str, str] = {}
    device: str
    driver: str
    pool: str
    request: str
    shareID: str = ""
    tolerations: list[DeviceToleration] = []


class DeviceAllocationResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.DeviceAllocationResult."""

    config: list[DeviceAllocationConfiguration] = []
    results: list[DeviceRequestAllocationResult] = []


class AllocationResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.AllocationResult."""

    allocationTimestamp: str | None = None
    devices: DeviceAllocationResult | None = None
    nodeSelector: core_v1.NodeSelector | None = None


class NetworkDeviceData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.NetworkDeviceData."""

    hardwareAddress: str = ""
    interfaceName: str = ""
    ips: list[str] = []


class AllocatedDeviceStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.AllocatedDeviceStatus."""

    conditions: list[meta_v1.Condition] = []
    data: Any = None
    device: str
    driver: str
    networkData: NetworkDeviceData | None = None
    pool: str
    shareID: str = ""


class ResourceClaimConsumerReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.ResourceClaimConsumerReference."""

    apiGroup: str = ""
    name: str
    resource: str
    uid: str


class ResourceClaimStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.ResourceClaimStatus."""

    allocation: AllocationResult | None = None
    devices: list[AllocatedDeviceStatus] = []
    reservedFor: list[ResourceClaimConsumerReference] = []


class ResourceClaim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.ResourceClaim."""

    apiVersion: str = msgspec.field(default_factory=lambda: "resource.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "ResourceClaim")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: ResourceClaimSpec
    status: ResourceClaimStatus = ResourceClaimStatus()


class ResourceClaimTemplateSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.ResourceClaimTemplateSpec."""

    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: ResourceClaimSpec


class ResourceClaimTemplate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.ResourceClaimTemplate."""

    apiVersion: str = msgspec.field(default_factory=lambda: "resource.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "ResourceClaimTemplate")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: ResourceClaimTemplateSpec


class CapacityRequestPolicyRange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.CapacityRequestPolicyRange."""

    max: str = ""
    min: str
    step: str = ""


class CapacityRequestPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.CapacityRequestPolicy."""

    default: str = ""
    validRange: CapacityRequestPolicyRange | None = None
    validValues: list[str] = []


class DeviceCapacity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.DeviceCapacity."""

    requestPolicy: CapacityRequestPolicy | None = None
    value: str


class Counter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.Counter."""

    value: str


class DeviceCounterConsumption(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.DeviceCounterConsumption."""

    counterSet: str
    counters: dict[str, Counter]


class NodeAllocatableResourceMapping(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.NodeAllocatableResourceMapping."""

    allocationMultiplier: str = ""
    capacityKey: str = ""


class DeviceTaint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.DeviceTaint."""

    effect: str
    key: str
    timeAdded: str | None = None
    value: str = ""


class Device(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.Device."""

    allNodes: bool | None = None
    allowMultipleAllocations: bool | None = None
    attributes: dict[str, dict[str, Any]] = {}
    bindingConditions: list[str] = []
    bindingFailureConditions: list[str] = []
    bindsToNode: bool | None = None
    capacity: dict[str, DeviceCapacity] = {}
    consumesCounters: list[DeviceCounterConsumption] = []
    name: str
    nodeAllocatableResourceMappings: dict[str, NodeAllocatableResourceMapping] = {}
    nodeName: str = ""
    nodeSelector: core_v1.NodeSelector | None = None
    taints: list[DeviceTaint] = []


class ResourcePool(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.ResourcePool."""

    generation: int
    name: str
    resourceSliceCount: int


class CounterSet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.CounterSet."""

    counters: dict[str, Counter]
    name: str


class ResourceSliceSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.ResourceSliceSpec."""

    allNodes: bool | None = None
    devices: list[Device] = []
    driver: str
    nodeName: str = ""
    nodeSelector: core_v1.NodeSelector | None = None
    perDeviceNodeSelection: bool | None = None
    pool: ResourcePool
    sharedCounters: list[CounterSet] = []


class ResourceSlice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.resource.v1.ResourceSlice."""

    apiVersion: str = msgspec.field(default_factory=lambda: "resource.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "ResourceSlice")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: ResourceSliceSpec

"""Kubernetes v1.36.0 networking/v1, made by tools/gen_k8s.py; not to be edited."""

# ruff: noqa
from __future__ import annotations

import msgspec

from machinery.model.k8s import meta_v1


class ParentReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.ParentReference."""

    group: str = ""
    name: str
    namespace: str = ""
    resource: str


class IPAddressSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.IPAddressSpec."""

    parentRef: ParentReference


class IPAddress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.IPAddress."""

    apiVersion: str = msgspec.field(default_factory=lambda: "networking.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "IPAddress")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: IPAddressSpec


class NetworkPolicyPort(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.NetworkPolicyPort."""

    endPort: int | None = None
    port: int | str | None = None
    protocol: str = ""


class IPBlock(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.IPBlock."""

    cidr: str
    except_: list[str] = msgspec.field(name="except", default=[])


class NetworkPolicyPeer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.NetworkPolicyPeer."""

    ipBlock: IPBlock | None = None
    namespaceSelector: meta_v1.LabelSelector | None = None
    podSelector: meta_v1.LabelSelector | None = None


class NetworkPolicyEgressRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.NetworkPolicyEgressRule."""

    ports: list[NetworkPolicyPort] = []
    to: list[NetworkPolicyPeer] = []


class NetworkPolicyIngressRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.NetworkPolicyIngressRule."""

    from_: list[NetworkPolicyPeer] = msgspec.field(name="from", default=[])
    ports: list[NetworkPolicyPort] = []


class NetworkPolicySpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.NetworkPolicySpec."""

    egress: list[NetworkPolicyEgressRule] = []
    ingress: list[NetworkPolicyIngressRule] = []
    podSelector: meta_v1.LabelSelector | None = None
    policyTypes: list[str] = []


class NetworkPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.NetworkPolicy."""

    apiVersion: str = msgspec.field(default_factory=lambda: "networking.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "NetworkPolicy")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: NetworkPolicySpec = NetworkPolicySpec()


class ServiceCIDRSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.ServiceCIDRSpec."""

    cidrs: list[str] = []


class ServiceCIDRStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.ServiceCIDRStatus."""

    conditions: list[meta_v1.Condition] = []


class ServiceCIDR(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.ServiceCIDR."""

    apiVersion: str = msgspec.field(default_factory=lambda: "networking.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "ServiceCIDR")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: ServiceCIDRSpec = ServiceCIDRSpec()
    status: ServiceCIDRStatus = ServiceCIDRStatus()

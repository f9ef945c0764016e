"""Kubernetes v1.36.0 networking/v1, made by tools/gen_k8s.py; not to be edited."""

# ruff: noqa
from __future__ import annotations

import msgspec

from machinery.model.k8s import core_v1, meta_v1


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


class ServiceBackendPort(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.ServiceBackendPort."""

    name: str = ""
    number: int | None = None


class IngressServiceBackend(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.IngressServiceBackend."""

    name: str
    port: ServiceBackendPort | None = None


class IngressBackend(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.IngressBackend."""

    resource: core_v1.TypedLocalObjectReference | None = None
    service: IngressServiceBackend | None = None


class HTTPIngressPath(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.HTTPIngressPath."""

    backend: IngressBackend
    path: str = ""
    pathType: str


class HTTPIngressRuleValue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.HTTPIngressRuleValue."""

    paths: list[HTTPIngressPath]


class IngressRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.IngressRule."""

    host: str = ""
    http: HTTPIngressRuleValue | None = None


class IngressTLS(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.IngressTLS."""

    hosts: list[str] = []
    secretName: str = ""


class IngressSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.IngressSpec."""

    defaultBackend: IngressBackend | None = None
    ingressClassName: str = ""
    rules: list[IngressRule] = []
    tls: list[IngressTLS] = []


class IngressPortStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.IngressPortStatus."""

    error: str = ""
    port: int
    protocol: str


class IngressLoadBalancerIngress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.IngressLoadBalancerIngress."""

    hostname: str = ""
    ip: str = ""
    ports: list[IngressPortStatus] = []


class IngressLoadBalancerStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.IngressLoadBalancerStatus."""

    ingress: list[IngressLoadBalancerIngress] = []


class IngressStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.IngressStatus."""

    loadBalancer: IngressLoadBalancerStatus | None = None


class Ingress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.Ingress."""

    apiVersion: str = msgspec.field(default_factory=lambda: "networking.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "Ingress")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: IngressSpec = IngressSpec()
    status: IngressStatus = IngressStatus()


class IngressClassParametersReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.IngressClassParametersReference."""

    apiGroup: str = ""
    kind: str
    name: str
    namespace: str = ""
    scope: str = ""


class IngressClassSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.IngressClassSpec."""

    controller: str = ""
    parameters: IngressClassParametersReference | None = None


class IngressClass(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.networking.v1.IngressClass."""

    apiVersion: str = msgspec.field(default_factory=lambda: "networking.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "IngressClass")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: IngressClassSpec = IngressClassSpec()


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

"""Kubernetes v1.36.0 discovery/v1, made by tools/gen_k8s.py; not to be edited."""

# ruff: noqa
from __future__ import annotations

import msgspec

from machinery.model.k8s import core_v1, meta_v1


class EndpointConditions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.discovery.v1.EndpointConditions."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class ForNode(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.discovery.v1.ForNode."""

    name: str


class ForZone(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.discovery.v1.ForZone."""

    name: str


class EndpointHints(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.discovery.v1.EndpointHints."""

    forNodes: list[ForNode] = []
    forZones: list[ForZone] = []


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.discovery.v1.Endpoint."""

    addresses: list[str]
    conditions: EndpointConditions | None = None
    deprecatedTopology: dict[str, str] = {}
    hints: EndpointHints | None = None
    hostname: str = ""
    nodeName: str = ""
    targetRef: core_v1.ObjectReference | None = None
    zone: str = ""


class EndpointPort(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.discovery.v1.EndpointPort."""

    appProtocol: str = ""
    name: str = ""
    port: int | None = None
    protocol: str = ""


class EndpointSlice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.discovery.v1.EndpointSlice."""

    addressType: str
    apiVersion: str = msgspec.field(default_factory=lambda: "discovery.k8s.io/v1")
    endpoints: list[Endpoint] = []
    kind: str = msgspec.field(default_factory=lambda: "EndpointSlice")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    ports: list[EndpointPort] = []

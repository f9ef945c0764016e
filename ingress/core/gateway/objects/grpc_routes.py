"""GRPCRoutes: rules for calls of gRPC."""

from __future__ import annotations

from typing import Any

from ingress.core.gateway.objects.parts import API_VERSION, Part, written
from ingress.core.gateway.objects.routes import BackendRef, Filter, ParentRef, RouteStatus, ValueMatch
from machinery.model.k8s.meta_v1 import ObjectMeta


class CallMatch(Part, frozen=True):
    """A condition about what is called: a service, a method, "" for every one."""

    type: str = "Exact"
    service: str = ""
    method: str = ""


class GRPCMatch(Part, frozen=True):
    """Conditions that have to be met all."""

    method: CallMatch = CallMatch()
    headers: list[ValueMatch] = []


class GRPCRouteRule(Part, frozen=True):
    """What calls a rule is about, and what becomes of them."""

    matches: list[GRPCMatch] = []
    filters: list[Filter] = []
    backendRefs: list[BackendRef] = []
    sessionPersistence: dict[str, Any] | None = None


class GRPCRouteSpec(Part, frozen=True):
    """What a route wants."""

    parentRefs: list[ParentRef] = []
    hostnames: list[str] = []
    rules: list[GRPCRouteRule] = []


class GRPCRoute(Part, frozen=True):
    """Rules for calls of gRPC."""

    apiVersion: str = written(API_VERSION)
    kind: str = written("GRPCRoute")
    metadata: ObjectMeta = ObjectMeta()
    spec: GRPCRouteSpec = GRPCRouteSpec()
    status: RouteStatus = RouteStatus()

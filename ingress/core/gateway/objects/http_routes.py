"""HTTPRoutes: rules for requests."""

from __future__ import annotations

from typing import Any

from ingress.core.gateway.objects.parts import API_VERSION, Part, written
from ingress.core.gateway.objects.routes import BackendRef, Filter, ParentRef, RouteStatus, ValueMatch
from machinery.model.k8s.meta_v1 import ObjectMeta


class PathMatch(Part, frozen=True):
    """A condition about the path."""

    type: str = "PathPrefix"
    value: str = "/"


class Match(Part, frozen=True):
    """Conditions that have to be met all."""

    path: PathMatch = PathMatch()
    headers: list[ValueMatch] = []
    queryParams: list[ValueMatch] = []
    method: str = ""


class Timeouts(Part, frozen=True):
    """How long an answer may take, as Go's durations."""

    request: str = ""
    backendRequest: str = ""


class RouteRule(Part, frozen=True):
    """What requests a rule is about, and what becomes of them."""

    matches: list[Match] = []
    filters: list[Filter] = []
    backendRefs: list[BackendRef] = []
    timeouts: Timeouts = Timeouts()
    retry: dict[str, Any] | None = None
    sessionPersistence: dict[str, Any] | None = None


class HTTPRouteSpec(Part, frozen=True):
    """What a route wants."""

    parentRefs: list[ParentRef] = []
    hostnames: list[str] = []
    rules: list[RouteRule] = []


class HTTPRoute(Part, frozen=True):
    """Rules for requests."""

    apiVersion: str = written(API_VERSION)
    kind: str = written("HTTPRoute")
    metadata: ObjectMeta = ObjectMeta()
    spec: HTTPRouteSpec = HTTPRouteSpec()
    status: RouteStatus = RouteStatus()

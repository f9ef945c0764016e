"""The Gateway API's kinds, as far as they are read. Their names and defaults are those of the published schemas, which a test compares.

parts        how their types are
gateways     GatewayClass, Gateway
routes       what routes of every kind have
http_routes  HTTPRoute
grpc_routes  GRPCRoute
grants       ReferenceGrant

https://gateway-api.sigs.k8s.io/reference/spec/
"""

from __future__ import annotations

from typing import TypeAlias

from ingress.core.gateway.objects.gateways import (
    Address,
    ClassStatus,
    Gateway,
    GatewayClass,
    GatewayStatus,
    Listener,
    ListenerStatus,
    RouteKind,
    RouteNamespaces,
    SecretRef,
)
from ingress.core.gateway.objects.grants import GRANT_VERSION, GrantFrom, GrantTo, ReferenceGrant
from ingress.core.gateway.objects.grpc_routes import GRPCMatch, GRPCRoute, GRPCRouteRule
from ingress.core.gateway.objects.http_routes import HTTPRoute, Match, PathMatch, RouteRule, Timeouts
from ingress.core.gateway.objects.parts import GROUP, VERSION
from ingress.core.gateway.objects.routes import (
    BackendRef,
    Filter,
    Header,
    HeaderFilter,
    ParentRef,
    PathModifier,
    Redirect,
    RouteParentStatus,
    RouteStatus,
    URLRewrite,
    ValueMatch,
)
from machinery.model.resources import Resource

Route: TypeAlias = HTTPRoute | GRPCRoute

GATEWAY_CLASSES = Resource(GROUP, VERSION, "gatewayclasses", "GatewayClass", False, GatewayClass)  # noqa: FBT003
GATEWAYS = Resource(GROUP, VERSION, "gateways", "Gateway", True, Gateway)  # noqa: FBT003
HTTP_ROUTES = Resource(GROUP, VERSION, "httproutes", "HTTPRoute", True, HTTPRoute)  # noqa: FBT003
GRPC_ROUTES = Resource(GROUP, VERSION, "grpcroutes", "GRPCRoute", True, GRPCRoute)  # noqa: FBT003
REFERENCE_GRANTS = Resource(GROUP, GRANT_VERSION, "referencegrants", "ReferenceGrant", True, ReferenceGrant)  # noqa: FBT003

__all__ = [
    "GATEWAYS",
    "GATEWAY_CLASSES",
    "GROUP",
    "GRPC_ROUTES",
    "HTTP_ROUTES",
    "REFERENCE_GRANTS",
    "Address",
    "BackendRef",
    "ClassStatus",
    "Filter",
    "GRPCMatch",
    "GRPCRoute",
    "GRPCRouteRule",
    "Gateway",
    "GatewayClass",
    "GatewayStatus",
    "GrantFrom",
    "GrantTo",
    "HTTPRoute",
    "Header",
    "HeaderFilter",
    "Listener",
    "ListenerStatus",
    "Match",
    "ParentRef",
    "PathMatch",
    "PathModifier",
    "Redirect",
    "ReferenceGrant",
    "Route",
    "RouteKind",
    "RouteNamespaces",
    "RouteParentStatus",
    "RouteRule",
    "RouteStatus",
    "SecretRef",
    "Timeouts",
    "URLRewrite",
    "ValueMatch",
]

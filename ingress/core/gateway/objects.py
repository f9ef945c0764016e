"""The Gateway API's kinds, as far as they are read. Their defaults are those of the published schemas.

https://gateway-api.sigs.k8s.io/reference/spec/
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import msgspec

from machinery.model.k8s.meta_v1 import Condition, LabelSelector, ObjectMeta
from machinery.model.resources import Resource

GROUP: Final = "gateway.networking.k8s.io"
VERSION: Final = "v1"


class ParametersRef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An object with settings of its own."""

    group: str = ""
    kind: str = ""
    name: str = ""


class GatewayClassSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Whose class it is."""

    controllerName: str = ""
    parametersRef: ParametersRef | None = None


class ClassStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is said of a class."""

    conditions: list[Condition] = []


class GatewayClass(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A kind of Gateways, by who follows them."""

    apiVersion: str = msgspec.field(default_factory=lambda: f"{GROUP}/{VERSION}")
    kind: str = msgspec.field(default_factory=lambda: "GatewayClass")
    metadata: ObjectMeta = ObjectMeta()
    spec: GatewayClassSpec = GatewayClassSpec()
    status: ClassStatus = ClassStatus()


class SecretRef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A Secret, by default one of the same namespace."""

    group: str = ""
    kind: str = "Secret"
    namespace: str = ""
    name: str = ""


class TLS(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a listener shows to clients."""

    mode: str = "Terminate"
    certificateRefs: list[SecretRef] = []


class RouteKind(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A kind of routes."""

    group: str = GROUP
    kind: str = ""


class RouteNamespaces(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Where routes come from. Not `from`, which is a word of Python."""

    source: str = msgspec.field(default="Same", name="from")
    selector: LabelSelector | None = None


class AllowedRoutes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Which routes go with a listener."""

    kinds: list[RouteKind] = []
    namespaces: RouteNamespaces = RouteNamespaces()


class Listener(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A door of a Gateway."""

    name: str = ""
    hostname: str = ""
    port: int = 0
    protocol: str = ""
    tls: TLS | None = None
    allowedRoutes: AllowedRoutes = AllowedRoutes()


class Address(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Where a Gateway is, or is wanted to be."""

    type: str = "IPAddress"
    value: str = ""


class Infrastructure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is said of the objects that are made for a Gateway."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    parametersRef: ParametersRef | None = None


class GatewaySpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a Gateway wants."""

    gatewayClassName: str = ""
    listeners: list[Listener] = []
    addresses: list[Address] = []
    infrastructure: Infrastructure = Infrastructure()


class ListenerStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is said of a listener."""

    name: str
    supportedKinds: list[RouteKind]
    attachedRoutes: int
    conditions: list[Condition]


class GatewayStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is said of a Gateway."""

    addresses: list[Address] = []
    conditions: list[Condition] = []
    listeners: list[ListenerStatus] = []


class Gateway(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A place where requests come in."""

    apiVersion: str = msgspec.field(default_factory=lambda: f"{GROUP}/{VERSION}")
    kind: str = msgspec.field(default_factory=lambda: "Gateway")
    metadata: ObjectMeta = ObjectMeta()
    spec: GatewaySpec = GatewaySpec()
    status: GatewayStatus = GatewayStatus()


class ParentRef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a route goes with: a Gateway, or one of its listeners."""

    group: str = GROUP
    kind: str = "Gateway"
    namespace: str = ""
    name: str = ""
    sectionName: str = ""
    port: int = 0


class PathMatch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A condition about the path."""

    type: str = "PathPrefix"
    value: str = "/"


class ValueMatch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A condition about a header, or about a parameter of the query."""

    type: str = "Exact"
    name: str = ""
    value: str = ""


class Match(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Conditions that have to be met all."""

    path: PathMatch = PathMatch()
    headers: list[ValueMatch] = []
    queryParams: list[ValueMatch] = []
    method: str = ""


class Header(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A header with its value."""

    name: str = ""
    value: str = ""


class HeaderFilter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is done to headers. Not `set`, which is a word of Python."""

    written: list[Header] = msgspec.field(default_factory=list, name="set")
    add: list[Header] = []
    remove: list[str] = []


class PathModifier(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Another path."""

    type: str = ""
    replaceFullPath: str | None = None
    replacePrefixMatch: str | None = None


class Redirect(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Where a client is sent to."""

    scheme: str = ""
    hostname: str = ""
    path: PathModifier | None = None
    port: int = 0
    statusCode: int = 302


class URLRewrite(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Another host, another path."""

    hostname: str = ""
    path: PathModifier | None = None


class Filter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One step of what becomes of requests."""

    type: str = ""
    requestHeaderModifier: HeaderFilter | None = None
    responseHeaderModifier: HeaderFilter | None = None
    requestRedirect: Redirect | None = None
    urlRewrite: URLRewrite | None = None


class BackendRef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Where a part of the requests goes."""

    group: str = ""
    kind: str = "Service"
    namespace: str = ""
    name: str = ""
    port: int = 0
    weight: int = 1
    filters: list[Filter] = []


class Timeouts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How long an answer may take, as Go's durations."""

    request: str = ""
    backendRequest: str = ""


class RouteRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What requests a rule is about, and what becomes of them."""

    matches: list[Match] = []
    filters: list[Filter] = []
    backendRefs: list[BackendRef] = []
    timeouts: Timeouts = Timeouts()
    retry: dict[str, Any] | None = None
    sessionPersistence: dict[str, Any] | None = None


class HTTPRouteSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a route wants."""

    parentRefs: list[ParentRef] = []
    hostnames: list[str] = []
    rules: list[RouteRule] = []


class RouteParentStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What one controller says of a route and one of its parents."""

    parentRef: ParentRef
    controllerName: str
    conditions: list[Condition] = []


class RouteStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is said of a route."""

    parents: list[RouteParentStatus] = []


class HTTPRoute(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Rules for requests."""

    apiVersion: str = msgspec.field(default_factory=lambda: f"{GROUP}/{VERSION}")
    kind: str = msgspec.field(default_factory=lambda: "HTTPRoute")
    metadata: ObjectMeta = ObjectMeta()
    spec: HTTPRouteSpec = HTTPRouteSpec()
    status: RouteStatus = RouteStatus()


class CallMatch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A condition about what is called: a service, a method, "" for every one."""

    type: str = "Exact"
    service: str = ""
    method: str = ""


class GRPCMatch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Conditions that have to be met all."""

    method: CallMatch = CallMatch()
    headers: list[ValueMatch] = []


class GRPCRouteRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What calls a rule is about, and what becomes of them."""

    matches: list[GRPCMatch] = []
    filters: list[Filter] = []
    backendRefs: list[BackendRef] = []
    sessionPersistence: dict[str, Any] | None = None


class GRPCRouteSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a route wants."""

    parentRefs: list[ParentRef] = []
    hostnames: list[str] = []
    rules: list[GRPCRouteRule] = []


class GRPCRoute(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Rules for calls of gRPC."""

    apiVersion: str = msgspec.field(default_factory=lambda: f"{GROUP}/{VERSION}")
    kind: str = msgspec.field(default_factory=lambda: "GRPCRoute")
    metadata: ObjectMeta = ObjectMeta()
    spec: GRPCRouteSpec = GRPCRouteSpec()
    status: RouteStatus = RouteStatus()


Route: TypeAlias = HTTPRoute | GRPCRoute


class GrantFrom(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Who may refer."""

    group: str
    kind: str = ""
    namespace: str = ""


class GrantTo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """To what."""

    group: str
    kind: str = ""
    name: str = ""  # "" for every one


class ReferenceGrantSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Who may refer to what. Not `from`, which is a word of Python."""

    sources: list[GrantFrom] = msgspec.field(default_factory=list, name="from")
    to: list[GrantTo] = []


class ReferenceGrant(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A namespace's permission to refer to something in it."""

    apiVersion: str = msgspec.field(default_factory=lambda: f"{GROUP}/v1beta1")
    kind: str = msgspec.field(default_factory=lambda: "ReferenceGrant")
    metadata: ObjectMeta = ObjectMeta()
    spec: ReferenceGrantSpec = ReferenceGrantSpec()


GATEWAY_CLASSES = Resource(GROUP, VERSION, "gatewayclasses", "GatewayClass", False, GatewayClass)  # noqa: FBT003
GATEWAYS = Resource(GROUP, VERSION, "gateways", "Gateway", True, Gateway)  # noqa: FBT003
HTTP_ROUTES = Resource(GROUP, VERSION, "httproutes", "HTTPRoute", True, HTTPRoute)  # noqa: FBT003
GRPC_ROUTES = Resource(GROUP, VERSION, "grpcroutes", "GRPCRoute", True, GRPCRoute)  # noqa: FBT003
REFERENCE_GRANTS = Resource(GROUP, "v1beta1", "referencegrants", "ReferenceGrant", True, ReferenceGrant)  # noqa: FBT003

"""What routes of every kind have: parents, filters, backends, a status."""

from __future__ import annotations

import msgspec

from ingress.core.gateway.objects.parts import GROUP, Part
from machinery.model.k8s.meta_v1 import Condition


class ParentRef(Part, frozen=True):
    """What a route goes with: a Gateway, or one of its listeners."""

    group: str = GROUP
    kind: str = "Gateway"
    namespace: str = ""
    name: str = ""
    sectionName: str = ""
    port: int = 0


class ValueMatch(Part, frozen=True):
    """A condition about a header, or about a parameter of the query."""

    type: str = "Exact"
    name: str = ""
    value: str = ""


class Header(Part, frozen=True):
    """A header with its value."""

    name: str = ""
    value: str = ""


class HeaderFilter(Part, frozen=True):
    """What is done to headers. Not `set`, which is a word of Python."""

    written: list[Header] = msgspec.field(default_factory=list, name="set")
    add: list[Header] = []
    remove: list[str] = []


class PathModifier(Part, frozen=True):
    """Another path."""

    type: str = ""
    replaceFullPath: str | None = None
    replacePrefixMatch: str | None = None


class Redirect(Part, frozen=True):
    """Where a client is sent to."""

    scheme: str = ""
    hostname: str = ""
    path: PathModifier | None = None
    port: int = 0
    statusCode: int = 302


class URLRewrite(Part, frozen=True):
    """Another host, another path."""

    hostname: str = ""
    path: PathModifier | None = None


class Filter(Part, frozen=True):
    """One step of what becomes of requests."""

    type: str = ""
    requestHeaderModifier: HeaderFilter | None = None
    responseHeaderModifier: HeaderFilter | None = None
    requestRedirect: Redirect | None = None
    urlRewrite: URLRewrite | None = None


class BackendRef(Part, frozen=True):
    """Where a part of the requests goes."""

    group: str = ""
    kind: str = "Service"
    namespace: str = ""
    name: str = ""
    port: int = 0
    weight: int = 1
    filters: list[Filter] = []


class RouteParentStatus(Part, frozen=True):
    """What one controller says of a route and one of its parents."""

    parentRef: ParentRef
    controllerName: str
    conditions: list[Condition] = []


class RouteStatus(Part, frozen=True):
    """What is said of a route."""

    parents: list[RouteParentStatus] = []

"""The rules of a route: what requests they are about, and where those go.

What cannot be followed is one rule's matter: the others of the route are. Where a backend cannot be had, its part of the requests
is answered with 500.

https://gateway-api.sigs.k8s.io/reference/spec/#httprouterule
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, TypeAlias

from ingress.core import text
from ingress.core.backends import BackendKey
from ingress.core.gateway.filters import (
    Steps,
    UnknownKindError,
    UnsupportedError,
    read_filters,
    with_timeouts,
)
from ingress.core.gateway.grants import Reference, is_permitted
from ingress.core.gateway.objects import (
    BackendRef,
    GRPCMatch,
    GRPCRouteRule,
    Match,
    PathMatch,
    ReferenceGrant,
    Route,
    RouteRule,
    Timeouts,
    ValueMatch,
)
from ingress.core.gateway.verdicts import RESOLVED_REFS, Verdict, bad, good
from ingress.core.rules import Options, Path, PathKind, Target
from ingress.core.servers import find_port, why_not
from machinery.model.k8s.core_v1 import Service

_KINDS: Final = {"Exact": PathKind.EXACT, "PathPrefix": PathKind.PREFIX, "RegularExpression": PathKind.REGEX}
_PARAMETER: Final = re.compile(
    r"[A-Za-z0-9!#$%&*+.^_`|~-]+"
)  # a quote would begin a quotation of the proxy's
_CALLED: Final = re.compile(r"[A-Za-z0-9_.]*")
_HTTP2: Final = "kubernetes.io/h2c"
_OTHER_PROTOCOLS: Final = {
    "HTTPRoute": frozenset({"kubernetes.io/wss", "https"}),
    "GRPCRoute": frozenset({"kubernetes.io/ws", "kubernetes.io/wss", "https"}),
}


class Value(NamedTuple):
    """What a header or a parameter of the query has to be."""

    name: str
    is_pattern: bool
    value: str


class Called(NamedTuple):
    """How much a match says of what gRPC calls, in characters: more goes first."""

    service: int
    method: int


class Conditions(NamedTuple):
    """What a request has to meet, all of it; `called` says how it stands among others of a GRPCRoute."""

    path: Path
    method: str = ""
    headers: tuple[Value, ...] = ()
    parameters: tuple[Value, ...] = ()
    called: Called | None = None

    @property
    def is_only_path(self) -> bool:
        """Whether a look-up by the path says it all."""
        return self.path.kind is not PathKind.REGEX and not (self.method or self.headers or self.parameters)


class Part(NamedTuple):
    """A part of the requests: whom it goes to, None for those that nobody can answer."""

    weight: int
    backend: BackendKey | None


Backends: TypeAlias = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that is followed.

    Attributes:
        number: its place in the route, from 0.
        steps: what becomes of the requests; with a redirection nobody behind is asked.
        backends: with a weight, or there are none.
    """

    number: int
    matches: tuple[Conditions, ...]
    steps: Steps
    backends: Backends


class Read(NamedTuple):
    """A route, read.

    Attributes:
        dropped: why rules are not followed, by their place.
        resolved: whether everything that it refers to can be had.
        services: what it depends on, by namespace and name.
    """

    rules: tuple[Rule, ...]
    dropped: tuple[tuple[int, str], ...]
    resolved: Verdict
    services: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a route's references lead to."""

    find_service: Callable[[str, str], Service | None]
    grants: Sequence[ReferenceGrant]


def read_route(route: Route, around: Surroundings) -> Read:
    """Return a route's rules, and what is wrong with them."""
    reader = _Reader(route, around)
    rules = tuple(reader.rules())
    resolved = reader.wrong[0] if reader.wrong else good(RESOLVED_REFS)
    return Read(rules, tuple(reader.dropped), resolved, frozenset(reader.services))


class _Reader:
    def __init__(self, route: Route, around: Surroundings) -> None:
        self._route = route
        self._around = around
        self.dropped: list[tuple[int, str]] = []
        self.wrong: list[Verdict] = []
        self.services: set[tuple[str, str]] = set()

    def rules(self) -> Iterator[Rule]:
        every: Sequence[RouteRule | GRPCRouteRule] = self._route.spec.rules
        for number, rule in enumerate(every):
            try:
                yield self._rule(number, rule)
            except UnsupportedError as error:
                self.dropped.append((number, str(error)))

    def _rule(self, number: int, rule: RouteRule | GRPCRouteRule) -> Rule:
        if rule.sessionPersistence is not None or getattr(rule, "retry", None) is not None:
            raise UnsupportedError("retry and sessionPersistence are not supported")
        matches, timeouts = _matches(rule)
        prefix = next((each.path.value for each in matches if each.path.kind is PathKind.PREFIX), "")
        try:
            steps = read_filters(rule.filters, prefix)
        except UnknownKindError as error:
            self.wrong.append(bad(RESOLVED_REFS, "InvalidKind", f"rule {number}: {error}"))
            return Rule(number, matches, Steps(), ())
        options = with_timeouts(steps.options, timeouts)
        parts = tuple(self._part(number, each, prefix, options) for each in rule.backendRefs)
        return Rule(number, matches, steps, tuple(each for each in parts if each.weight))

    def _part(self, number: int, ref: BackendRef, prefix: str, options: Options) -> Part:
        try:
            steps = read_filters(ref.filters, prefix, options)
        except UnknownKindError as error:
            wrong: Verdict | None = bad(RESOLVED_REFS, "InvalidKind", str(error))
        else:
            if steps.redirect is not None:
                raise UnsupportedError("a backend with a filter RequestRedirect is not supported")
            wrong = self._why_not(ref)
        if wrong is not None:
            self.wrong.append(wrong._replace(message=f"rule {number}: {wrong.message}"))
            return Part(ref.weight, None)
        target = self._target(ref)
        by_http2 = self._route.kind == "GRPCRoute" or self._protocol(target) == _HTTP2
        return Part(ref.weight, BackendKey(target, replace(steps.options, by_http2=by_http2)))

    def _target(self, ref: BackendRef) -> Target:
        return Target(ref.namespace or self._route.metadata.namespace, ref.name, str(ref.port))

    def _why_not(self, ref: BackendRef) -> Verdict | None:
        """Return why a backend cannot be had."""
        if (ref.group, ref.kind) != ("", "Service"):
            text_ = f"a backend of the kind {ref.kind} is not known, only Services are"
            return bad(RESOLVED_REFS, "InvalidKind", text_)
        target, own = self._target(ref), self._route.metadata.namespace
        kind = self._route.kind
        reference = Reference(kind, own, "Service", target.namespace, target.service)
        if not is_permitted(reference, self._around.grants):
            text_ = (
                f"no ReferenceGrant of {target.namespace} lets {kind}s of {own} use Service {target.service}"
            )
            return bad(RESOLVED_REFS, "RefNotPermitted", text_)
        self.services.add((target.namespace, target.service))
        service = self._around.find_service(target.namespace, target.service)
        if why := why_not(target, service):
            return bad(RESOLVED_REFS, "BackendNotFound", why)
        if (protocol := self._protocol(target)) not in _OTHER_PROTOCOLS[kind]:
            return None
        where = f"Service {target.namespace}/{target.service}"
        text_ = (
            f"{where} speaks {protocol} at port {target.port}, which is not spoken to endpoints of {kind}s"
        )
        return bad(RESOLVED_REFS, "UnsupportedProtocol", text_)

    def _protocol(self, target: Target) -> str:
        """Return what is spoken at a Service's port, "" where it does not say."""
        service = self._around.find_service(target.namespace, target.service)
        port = find_port(service, target.port) if service is not None else None
        return port.appProtocol if port is not None else ""


def _matches(rule: RouteRule | GRPCRouteRule) -> tuple[tuple[Conditions, ...], Timeouts]:
    if isinstance(rule, GRPCRouteRule):
        return tuple(_of_call(each) for each in rule.matches or [GRPCMatch()]), Timeouts()
    return tuple(_conditions(each) for each in rule.matches or [Match()]), rule.timeouts


def _of_call(match: GRPCMatch) -> Conditions:
    """Return what a call has to meet: its service and its method are the two elements of a request's path."""
    service, method = match.method.service, match.method.method
    called = Called(len(service), len(method))
    return Conditions(
        _path_of_call(match.method.type, service, method),
        headers=_values(match.headers, str.lower),
        called=called,
    )


def _path_of_call(type_: str, service: str, method: str) -> Path:
    if not service and not method:
        return Path(PathKind.PREFIX, "")
    if type_ == "RegularExpression":
        if not text.is_printable(service + method):
            raise UnsupportedError(
                f"{service[:80]!r}, {method[:80]!r} are not of ASCII's printable characters"
            )
        return Path(PathKind.REGEX, f"/(?:{service or _ANY})/(?:{method or _ANY})")
    if type_ != "Exact":
        raise UnsupportedError(f"{type_} is no type of a method")
    if not _CALLED.fullmatch(service + method):
        raise UnsupportedError(f"{service[:80]!r}, {method[:80]!r} are no service and method")
    if service:
        return (
            Path(PathKind.EXACT, f"/{service}/{method}") if method else Path(PathKind.PREFIX, f"/{service}")
        )
    return Path(PathKind.REGEX, f"/{_ANY}/{method}")


_ANY: Final = "[^/]+"  # element of a path


def _conditions(match: Match) -> Conditions:
    parameters = _values(match.queryParams, str)
    for each in parameters:
        if not _PARAMETER.fullmatch(each.name):
            raise UnsupportedError(f"the query parameter {each.name!r} cannot be looked for")
    return Conditions(_path(match.path), match.method, _values(match.headers, str.lower), parameters)


def _path(match: PathMatch) -> Path:
    kind = _KINDS.get(match.type)
    if kind is None:
        raise UnsupportedError(f"{match.type} is no type of a path")
    if not text.is_printable(match.value):
        raise UnsupportedError(f"the path {match.value[:80]!r} is not of ASCII's printable characters")
    if kind is not PathKind.REGEX and (" " in match.value or not match.value.startswith("/")):
        raise UnsupportedError(f"the path {match.value[:80]!r} is in no request")
    return Path(kind, match.value.rstrip("/") if kind is PathKind.PREFIX else match.value)


def _values(matches: Sequence[ValueMatch], folded: Callable[[str], str]) -> tuple[Value, ...]:
    """Return conditions; of several for one name the first counts."""
    found: dict[str, Value] = {}
    for each in matches:
        if each.type not in {"Exact", "RegularExpression"}:
            raise UnsupportedError(f"{each.type} is no type of a value")
        if not text.is_printable(each.name + each.value):
            raise UnsupportedError(f"the value for {each.name} is not of ASCII's printable characters")
        name = folded(each.name)
        found.setdefault(name, Value(name, each.type == "RegularExpression", each.value))
    return tuple(found.values())

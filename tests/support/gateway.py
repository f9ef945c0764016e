"""Objects of the Gateway API, how the proxy's tables for them are read, and a slow second way to say which rule a request follows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from ingress.core.classes import CONTROLLER
from ingress.core.gateway.objects import (
    Gateway,
    GatewayClass,
    GRPCRoute,
    HTTPRoute,
    ReferenceGrant,
)
from ingress.core.gateway.planning import GatewayPlan, GatewayView, plan_gateways
from ingress.core.gateway.precedence import Entry, Tables
from ingress.core.gateway.rules import Conditions, Value
from ingress.core.gateway.services import OWNED, Wish, service_name, wanted_ports
from ingress.core.rules import Owner, PathKind
from machinery.model.k8s.core_v1 import Namespace, Secret, Service, ServicePort, ServiceSpec
from tests.support.builders import meta
from tests.support.ingress import service

HTTP: dict[str, Any] = {"name": "http", "port": 80, "protocol": "HTTP"}
HTTPS: dict[str, Any] = {
    "name": "https",
    "port": 443,
    "protocol": "HTTPS",
    "tls": {"certificateRefs": [{"name": "cert"}]},
}
EDGE = "edge"  # the namespace of the Gateways' Services


def gateway_class(name: str = "k", controller: str = CONTROLLER, **spec: Any) -> GatewayClass:
    """Return a class."""
    return _made(GatewayClass, name, "", {"controllerName": controller, **spec})


def gateway(
    *listeners: dict[str, Any], name: str = "g", namespace: str = "shop", age: int = 0, **spec: Any
) -> Gateway:
    """Return a Gateway; the larger its `age`, the younger it is."""
    wanted = {"gatewayClassName": "k", "listeners": list(listeners) or [HTTP], **spec}
    return _made(Gateway, name, namespace, wanted, age)


def to(name: str = "web", port: int = 80, **more: Any) -> dict[str, Any]:
    """Return a reference to a backend."""
    return {"name": name, "port": port, **more}


def rule(path: str = "/", *backends: dict[str, Any], kind: str = "PathPrefix", **more: Any) -> dict[str, Any]:
    """Return a rule about a path."""
    found = {"matches": [{"path": {"type": kind, "value": path}}], **more}
    return {**found, "backendRefs": list(backends)} if backends else found


def route(
    *rules: dict[str, Any],
    name: str = "r",
    namespace: str = "shop",
    hostnames: Sequence[str] = (),
    parents: Sequence[dict[str, Any]] = ({"name": "g"},),
    age: int = 0,
) -> HTTPRoute:
    """Return a route, by default of the Gateway `g`; the larger its `age`, the younger it is."""
    spec = {
        "rules": list(rules) or [rule("/", to())],
        "hostnames": list(hostnames),
        "parentRefs": list(parents),
    }
    return _made(HTTPRoute, name, namespace, spec, age)


def call(service: str = "", method: str = "", kind: str = "Exact", **more: Any) -> dict[str, Any]:
    """Return a match of a call of gRPC."""
    return {"method": {"type": kind, "service": service, "method": method}, **more}


def grpc_route(
    *rules: dict[str, Any],
    name: str = "c",
    namespace: str = "shop",
    hostnames: Sequence[str] = (),
    parents: Sequence[dict[str, Any]] = ({"name": "g"},),
    age: int = 0,
) -> GRPCRoute:
    """Return a route for calls, by default of the Gateway `g`; the larger its `age`, the younger it is."""
    spec = {
        "rules": list(rules) or [{"backendRefs": [to()]}],
        "hostnames": list(hostnames),
        "parentRefs": list(parents),
    }
    return _made(GRPCRoute, name, namespace, spec, age)


def grant(
    namespace: str, of_kind: str, of_namespace: str, to_kind: str, to_name: str = "", name: str = "grant"
) -> ReferenceGrant:
    """Return a permission."""
    group = "gateway.networking.k8s.io"
    source = {"group": group, "kind": of_kind, "namespace": of_namespace}
    return _made(
        ReferenceGrant,
        name,
        namespace,
        {"from": [source], "to": [{"group": "", "kind": to_kind, "name": to_name}]},
    )


def _made(type_: Any, name: str, namespace: str, spec: dict[str, Any], age: int = 0) -> Any:
    made = meta(name, namespace, creationTimestamp=f"2026-01-01T00:00:{age:02}Z", generation=3)
    return type_(metadata=made, spec=msgspec.convert(spec, type(type_().spec)))


@dataclass
class GatewayWorld:
    """The objects of a cluster, as the plan sees them. Every port of a Gateway has one of the proxy's, from 20000."""

    gateways: list[Gateway] = field(default_factory=lambda: [gateway()])
    routes: list[HTTPRoute] = field(default_factory=lambda: [route()])
    grpc_routes: list[GRPCRoute] = field(default_factory=list)
    grants: list[ReferenceGrant] = field(default_factory=list)
    classes: list[GatewayClass] = field(default_factory=lambda: [gateway_class()])
    services: list[Service] = field(default_factory=lambda: [service()])
    secrets: list[Secret] = field(default_factory=list)
    namespaces: list[Namespace] = field(default_factory=list)
    has_fronts: bool = True

    def plan(self, refused: Mapping[Owner, str] | None = None) -> GatewayPlan:
        """Return the plan."""
        services = [*self.services, *(self.fronts() if self.has_fronts else ())]

        def find(objects: Iterable[Any], namespace: str, name: str) -> Any:
            every = {(each.metadata.namespace, each.metadata.name): each for each in objects}
            return every.get((namespace, name))

        def labels_of(name: str) -> Mapping[str, str]:
            found = find(self.namespaces, "", name)
            return found.metadata.labels if found else {}

        view = GatewayView(
            self.classes,
            self.gateways,
            self.routes,
            self.grpc_routes,
            self.grants,
            labels_of,
            lambda namespace, name: find(self.secrets, namespace, name),
            lambda namespace, name: find(services, namespace, name),
            EDGE,
        )
        return plan_gateways(view, CONTROLLER, refused or {})

    def fronts(self) -> list[Service]:
        """Return the Services in front of the Gateways."""
        found, own = [], 20_000
        for each in self.gateways:
            ports = sorted({listener.port for listener in each.spec.listeners})
            found.append(front(each, {port: own + index for index, port in enumerate(ports)}))
            own += len(ports)
        return found


def front(of: Gateway, ports: Mapping[int, int], ip: str = "10.96.0.9") -> Service:
    """Return the Service in front of a Gateway, with the proxy's port for each of its ports."""
    return Service(
        metadata=meta(service_name(of), EDGE, labels={OWNED: "x"}),
        spec=ServiceSpec(
            clusterIP=ip,
            ports=[
                ServicePort(name=f"port-{port}", port=port, targetPort=own) for port, own in ports.items()
            ],
        ),
    )


def wish(of: Gateway, *ports: int) -> Wish:
    """Return the ports that a Gateway wants."""
    return Wish(of, ports or wanted_ports(()))


class Asked(NamedTuple):
    """A request."""

    host: str
    path: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()


def read_site(tables: Tables, port: int, asked: Asked) -> Entry | None:
    """Read the tables as the proxy does: what a request follows."""
    place = f"{asked.host}/{port}"
    name = tables.hosts.get(place) or next((to for end, to in tables.suffixes if place.endswith(end)), None)
    if name is None:
        return None
    found = tables.exact.get(name + asked.path)
    if found is None:
        whole = f"{name}{asked.path}/"
        longest = max((key for key in tables.prefix if whole.startswith(key)), key=len, default="")
        found = tables.prefix.get(longest, ())
    return next((each for each in found if _meets(each.conditions, asked)), None)


def _meets(conditions: Conditions, asked: Asked) -> bool:
    if conditions.path.kind is PathKind.REGEX and not re.fullmatch(conditions.path.value, asked.path):
        return False
    if conditions.method not in {"", asked.method}:
        return False
    headers = {name.lower(): value for name, value in asked.headers}
    both = ((conditions.headers, headers), (conditions.parameters, dict(asked.query)))
    return all(_is(each, given.get(each.name)) for wanted, given in both for each in wanted)


def _is(wanted: Value, given: str | None) -> bool:
    if given is None:
        return False
    return bool(re.fullmatch(wanted.value, given)) if wanted.is_pattern else wanted.value == given


def follow_slowly(
    hostnames: Iterable[str], routes: Iterable[HTTPRoute], asked: Asked
) -> tuple[str, int] | None:
    """Return the route and the rule that a request follows at listeners with these hostnames, out of the documents.

    Every match of every rule is looked at; all routes go with every listener whose hostname allows it.
    https://gateway-api.sigs.k8s.io/reference/spec/#httprouterule
    """
    fitting = [each for each in hostnames if _is_for(each, asked.host)]
    if not fitting:
        return None
    door = max(fitting, key=lambda each: (each == asked.host, len(each)))
    ranked = []
    for one in routes:
        hosts = [_common(door, each) for each in one.spec.hostnames or [""]]
        own = [each for each in hosts if each is not None and _is_for(each, asked.host)]
        if not own:
            continue
        best = max((not each.startswith("*")) * len(each) for each in own), max(map(len, own))
        for number, each in enumerate(one.spec.rules):
            for index, match in enumerate(each.matches):
                if _matches(match, asked):
                    age = one.metadata.creationTimestamp, one.metadata.namespace, one.metadata.name
                    exact = match.path.type == "Exact"
                    length = len(
                        match.path.value if match.path.type != "PathPrefix" else match.path.value.rstrip("/")
                    )
                    pattern = match.path.type == "RegularExpression"
                    counts = not match.method, -len(match.headers), -len(match.queryParams)
                    rank = (-best[0], -best[1], not exact, -length, pattern, *counts, age, number, index)
                    ranked.append((rank, (one.metadata.name, number)))
    return min(ranked)[1] if ranked else None


def _is_for(pattern: str, host: str) -> bool:
    if pattern.startswith("*."):
        labels, wanted = host.split("."), pattern.split(".")[1:]
        return len(labels) > len(wanted) and labels[-len(wanted) :] == wanted
    return pattern in {"", host}


def _common(door: str, hostname: str) -> str | None:
    """Return the narrower of two hostnames that have hosts in common."""
    for wide, narrow in ((door, hostname), (hostname, door)):
        if wide in {"", narrow} or (
            wide.startswith("*.") and narrow != "" and _is_for(wide, narrow.replace("*", "x"))
        ):
            return narrow
    return None


def _matches(match: Any, asked: Asked) -> bool:
    headers = {name.lower(): value for name, value in asked.headers}
    query: dict[str, str] = {}
    for name, value in asked.query:
        query.setdefault(name, value)
    return (
        _path_fits(match.path, asked.path)
        and match.method in {"", asked.method}
        and all(_value_fits(each, headers.get(each.name.lower())) for each in match.headers)
        and all(_value_fits(each, query.get(each.name)) for each in match.queryParams)
    )


def _path_fits(path: Any, asked: str) -> bool:
    if path.type == "Exact":
        return bool(path.value == asked)
    if path.type == "RegularExpression":
        return bool(re.fullmatch(path.value, asked))
    elements = path.value.rstrip("/").split("/")
    return asked.split("/")[: len(elements)] == elements


def _value_fits(wanted: Any, given: str | None) -> bool:
    if given is None:
        return False
    return bool(
        re.fullmatch(wanted.value, given) if wanted.type == "RegularExpression" else wanted.value == given
    )

"""What becomes of Gateways and routes, and what they say of themselves, in the specification's words."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ingress.core.backends import BackendKey
from ingress.core.gateway.objects import Gateway, RouteParentStatus, RouteStatus
from ingress.core.gateway.precedence import Answer
from ingress.core.gateway.rendering import render_site
from ingress.core.gateway.services import Changes, own_ports, plan_services, service_name
from ingress.core.gateway.status import class_status, gateway_status, route_status
from ingress.core.rules import NO_OPTIONS, Headers, Moved, Options, Target
from machinery.model.k8s.core_v1 import Namespace, Service
from machinery.model.k8s.meta_v1 import Condition
from tests.support.builders import changed, meta
from tests.support.gateway import (
    HTTP,
    HTTPS,
    Asked,
    GatewayWorld,
    front,
    gateway,
    gateway_class,
    grant,
    read_site,
    route,
    rule,
    to,
    wish,
)
from tests.support.ingress import certificate, service, tls_secret

NOW = "2026-01-02T00:00:00Z"
PAIR = certificate("a.com")
WEB = Target("shop", "web", "80")


def _short(conditions: Any) -> dict[str, str]:
    """Return conditions as "Reason" where they are true, "not Reason" where they are not."""
    return {each.type: each.reason if each.status == "True" else f"not {each.reason}" for each in conditions}


def _route_says(world: GatewayWorld, name: str = "r") -> dict[str, str]:
    found = next(each for each in world.plan().routes if each[0].metadata.name == name)
    [parent] = route_status(*found, "kubarium.dev/ingress", NOW).parents
    assert {each.observedGeneration for each in parent.conditions} == {3}
    return _short(parent.conditions)


def _gateway_says(world: GatewayWorld, number: int = 0) -> Any:
    judged = world.plan().gateways[number]
    fronts = {each.metadata.name: each for each in world.fronts()} if world.has_fronts else {}
    return gateway_status(judged, fronts.get(service_name(judged.gateway)), NOW)


def _listener_says(world: GatewayWorld, number: int = 0) -> dict[str, str]:
    return _short(_gateway_says(world).listeners[number].conditions)


def test_a_gateway_and_a_route() -> None:
    """Everything is good: an address, a served listener with one route, references that lead somewhere."""
    world = GatewayWorld()
    said = _gateway_says(world)
    assert _short(said.conditions) == {"Accepted": "Accepted", "Programmed": "Programmed"}
    assert [(each.type, each.value) for each in said.addresses] == [("IPAddress", "10.96.0.9")]
    [listener] = said.listeners
    assert (listener.name, listener.attachedRoutes) == ("http", 1)
    assert [each.kind for each in listener.supportedKinds] == ["HTTPRoute", "GRPCRoute"]
    assert _short(listener.conditions) == {
        "Accepted": "Accepted",
        "Programmed": "Programmed",
        "ResolvedRefs": "ResolvedRefs",
        "Conflicted": "not NoConflicts",
    }
    assert _route_says(world) == {"Accepted": "Accepted", "ResolvedRefs": "ResolvedRefs"}
    assert set(world.plan().backends) == {BackendKey(WEB, NO_OPTIONS)}


@pytest.mark.parametrize(
    ("class_", "reason", "followed"),
    [
        (gateway_class(), "Accepted", True),
        (gateway_class(parametersRef={"kind": "ConfigMap", "name": "x"}), "not InvalidParameters", False),
    ],
)
def test_a_class_says_whether_it_is_followed(class_: Any, reason: str, *, followed: bool) -> None:
    """Parameters are refused, and with them the Gateways of the class."""
    plan = GatewayWorld(classes=[class_]).plan()
    [(found, verdict)] = plan.classes
    assert _short(class_status(found, verdict, NOW).conditions) == {"Accepted": reason}
    assert bool(plan.gateways) is followed


def test_other_controllers_objects_are_left_alone() -> None:
    """Classes of others, Gateways of those or of no class, routes of other parents."""
    others = gateway(name="other", gatewayClassName="none")
    mine = route(parents=[{"name": "g", "kind": "Service", "group": ""}, {"name": "nowhere"}])
    world = GatewayWorld([others], [mine], classes=[gateway_class(controller="example.com/x")])
    plan = world.plan()
    assert (plan.classes, plan.gateways, plan.routes) == ((), (), ())


@pytest.mark.parametrize(
    ("listeners", "said"),
    [
        ([{**HTTP, "protocol": "TCP"}], {"Accepted": "not UnsupportedProtocol", "Programmed": "not Invalid"}),
        ([{**HTTP, "protocol": "TLS"}], {"Accepted": "not UnsupportedProtocol"}),
        (
            [{**HTTPS, "protocol": "https", "tls": {"mode": "Passthrough"}}],
            {"Accepted": "not UnsupportedProtocol"},
        ),
        ([{**HTTP, "protocol": "http"}], {"Accepted": "Accepted"}),
        (
            [HTTP, {**HTTP, "name": "two"}],
            {
                "Accepted": "not HostnameConflict",
                "Conflicted": "HostnameConflict",
                "Programmed": "not Invalid",
            },
        ),
        (
            [{**HTTPS, "port": 80}, {**HTTP, "hostname": "a.com"}],
            {"Accepted": "not ProtocolConflict", "Conflicted": "ProtocolConflict"},
        ),
        ([HTTP, {**HTTP, "name": "two", "hostname": "a.com"}], {"Accepted": "Accepted"}),
        (
            [{**HTTP, "allowedRoutes": {"kinds": [{"kind": "TLSRoute"}, {"kind": "HTTPRoute"}]}}],
            {"ResolvedRefs": "not InvalidRouteKinds", "Programmed": "Programmed"},
        ),
        ([HTTPS], {"Programmed": "Programmed", "ResolvedRefs": "ResolvedRefs"}),
        (
            [{**HTTPS, "tls": {"certificateRefs": [{"name": "none"}]}}],
            {
                "Accepted": "Accepted",
                "ResolvedRefs": "not InvalidCertificateRef",
                "Programmed": "not Invalid",
            },
        ),
        ([{**HTTPS, "tls": {"certificateRefs": []}}], {"ResolvedRefs": "not InvalidCertificateRef"}),
        (
            [{**HTTPS, "tls": {"certificateRefs": [{"name": "c", "kind": "Bundle", "group": "x"}]}}],
            {"ResolvedRefs": "not InvalidCertificateRef"},
        ),
        (
            [{**HTTPS, "tls": {"certificateRefs": [{"name": "cert", "namespace": "vault"}]}}],
            {"ResolvedRefs": "not RefNotPermitted", "Programmed": "not Invalid"},
        ),
    ],
)
def test_what_a_listener_says(listeners: list[dict[str, Any]], said: dict[str, str]) -> None:
    """Of its protocol, of others like it, of the kinds of routes, of its certificate."""
    secrets = [tls_secret(PAIR), tls_secret(PAIR, namespace="vault")]
    found = _listener_says(GatewayWorld([gateway(*listeners)], secrets=secrets))
    assert {key: found[key] for key in said} == said


def test_a_grant_lets_a_gateway_use_another_namespaces_certificate() -> None:
    """By the kind, the namespace and the name; what the grant does not say is not allowed."""
    listener = {**HTTPS, "tls": {"certificateRefs": [{"name": "cert", "namespace": "vault"}]}}
    secrets = [tls_secret(PAIR, namespace="vault")]
    for given, reason in (
        (grant("vault", "Gateway", "shop", "Secret"), "ResolvedRefs"),
        (grant("vault", "Gateway", "shop", "Secret", "cert"), "ResolvedRefs"),
        (grant("vault", "Gateway", "shop", "Secret", "other"), "not RefNotPermitted"),
        (grant("vault", "HTTPRoute", "shop", "Secret"), "not RefNotPermitted"),
        (grant("vault", "Gateway", "other", "Secret"), "not RefNotPermitted"),
        (grant("vault", "Gateway", "shop", "Service"), "not RefNotPermitted"),
        (grant("shop", "Gateway", "shop", "Secret"), "not RefNotPermitted"),
    ):
        world = GatewayWorld([gateway(listener)], grants=[given], secrets=secrets)
        assert _listener_says(world)["ResolvedRefs"] == reason, given.spec


@pytest.mark.parametrize(
    ("wanted", "accepted", "programmed"),
    [
        ({}, "Accepted", "Programmed"),
        ({"addresses": [{"value": "10.96.0.9"}]}, "Accepted", "Programmed"),
        ({"addresses": [{"value": ""}]}, "Accepted", "Programmed"),
        ({"addresses": [{"value": "10.9.9.9"}]}, "Accepted", "not AddressNotUsable"),
        ({"addresses": [{"type": "Hostname", "value": "a.com"}]}, "not UnsupportedAddress", "not Invalid"),
        (
            {"infrastructure": {"parametersRef": {"kind": "ConfigMap", "name": "x"}}},
            "not InvalidParameters",
            "not Invalid",
        ),
    ],
)
def test_what_a_gateway_says(wanted: dict[str, Any], accepted: str, programmed: str) -> None:
    """Of the addresses that it asks for, and of parameters."""
    said = _gateway_says(GatewayWorld([gateway(HTTP, **wanted)]))
    assert _short(said.conditions) == {"Accepted": accepted, "Programmed": programmed}


def test_a_gateway_with_some_good_listeners_is_followed() -> None:
    """It says that there are others; one without any good listener is not."""
    bad = {**HTTP, "name": "tcp", "protocol": "TCP", "port": 9}
    assert (
        _short(_gateway_says(GatewayWorld([gateway(HTTP, bad)])).conditions)["Accepted"]
        == "ListenersNotValid"
    )
    assert _short(_gateway_says(GatewayWorld([gateway(bad)])).conditions) == {
        "Accepted": "not ListenersNotValid",
        "Programmed": "not Invalid",
    }


def test_a_gateway_waits_for_its_service() -> None:
    """For an address, and for its ports."""
    said = _gateway_says(GatewayWorld(has_fronts=False))
    assert _short(said.conditions)["Programmed"] == "not AddressNotAssigned"
    assert _short(said.listeners[0].conditions)["Programmed"] == "not Pending"
    judged = GatewayWorld().plan().gateways[0]
    other = gateway_status(judged, front(judged.gateway, {81: 20_000}), NOW)
    assert _short(other.conditions)["Programmed"] == "not Pending"


def _namespace(name: str, **labels: str) -> Namespace:
    return Namespace(metadata=meta(name, labels=labels))


@pytest.mark.parametrize(
    ("listener", "one", "said"),
    [
        ({}, route(), "Accepted"),
        ({}, route(parents=[{"name": "g", "sectionName": "http"}]), "Accepted"),
        ({}, route(parents=[{"name": "g", "sectionName": "other"}]), "not NoMatchingParent"),
        ({}, route(parents=[{"name": "g", "port": 80}]), "Accepted"),
        ({}, route(parents=[{"name": "g", "port": 81}]), "not NoMatchingParent"),
        (
            {},
            route(namespace="team", parents=[{"name": "g", "namespace": "shop"}]),
            "not NotAllowedByListeners",
        ),
        (
            {"namespaces": {"from": "All"}},
            route(namespace="team", parents=[{"name": "g", "namespace": "shop"}]),
            "Accepted",
        ),
        (
            {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"web": "yes"}}}},
            route(namespace="team", parents=[{"name": "g", "namespace": "shop"}]),
            "Accepted",
        ),
        (
            {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"web": "no"}}}},
            route(namespace="team", parents=[{"name": "g", "namespace": "shop"}]),
            "not NotAllowedByListeners",
        ),
        (
            {
                "namespaces": {
                    "from": "Selector",
                    "selector": {"matchExpressions": [{"key": "a", "operator": "?"}]},
                }
            },
            route(namespace="team", parents=[{"name": "g", "namespace": "shop"}]),
            "not NotAllowedByListeners",
        ),
        ({"kinds": [{"kind": "GRPCRoute"}]}, route(), "not NotAllowedByListeners"),
    ],
)
def test_which_routes_a_listener_lets_in(listener: dict[str, Any], one: Any, said: str) -> None:
    """By section, port, namespace and kind."""
    door = {**HTTP, "allowedRoutes": listener}
    world = GatewayWorld([gateway(door)], [one], namespaces=[_namespace("team", web="yes")])
    assert _route_says(world)["Accepted"] == said
    assert _gateway_says(world).listeners[0].attachedRoutes == (said == "Accepted")


@pytest.mark.parametrize(
    ("listener", "hostnames", "served"),
    [
        ("", [], ["a.com", "b.net"]),
        ("a.com", [], ["a.com"]),
        ("*.a.com", ["a.com", "x.a.com", "y.b.com"], ["x.a.com"]),
        ("x.a.com", ["*.a.com"], ["x.a.com"]),
        ("a.com", ["b.com"], None),
        ("*.a.com", ["a.com"], None),
    ],
)
def test_which_hosts_are_served(listener: str, hostnames: list[str], served: list[str] | None) -> None:
    """Those that both the listener and the route name; where there are none the route is not accepted."""
    world = GatewayWorld(
        [gateway({**HTTP, **({"hostname": listener} if listener else {})})], [route(hostnames=hostnames)]
    )
    tables = world.plan().site.tables
    every = ("a.com", "x.a.com", "y.a.com", "b.com", "b.net", "y.b.com")
    found = [host for host in every if read_site(tables, 20_000, Asked(host, "/"))]
    if served is None:
        assert (found, _route_says(world)["Accepted"]) == ([], "not NoMatchingListenerHostname")
    else:
        assert set(served) <= set(found)
        assert not listener or found == served


def test_a_route_of_a_closer_listener_is_not_another_ones() -> None:
    """A request belongs to the listener whose hostname is the most exact: what that one has not, it does not find elsewhere."""
    doors = [HTTP, {**HTTP, "name": "a", "hostname": "*.a.com"}]
    routes = [
        route(name="every", parents=[{"name": "g", "sectionName": "http"}]),
        route(rule("/x", to()), name="own", parents=[{"name": "g", "sectionName": "a"}]),
    ]
    tables = GatewayWorld([gateway(*doors)], routes).plan().site.tables

    def who(host: str, path: str) -> str:
        found = read_site(tables, 20_000, Asked(host, path))
        return found.owner.name if found else ""

    assert [who("x.a.com", "/x"), who("x.a.com", "/y"), who("a.com", "/y")] == ["own", "", "every"]


@pytest.mark.parametrize(
    ("backend", "reason"),
    [
        (to("none"), "not BackendNotFound"),
        (to("web", 81), "not BackendNotFound"),
        (to("web", kind="Bucket", group="x"), "not InvalidKind"),
        (to("web", namespace="team"), "not RefNotPermitted"),
        (to("tls"), "not UnsupportedProtocol"),
        (to("web", filters=[{"type": "ExtensionRef"}]), "not InvalidKind"),
    ],
)
def test_a_backend_that_cannot_be_had_is_answered_for(backend: dict[str, Any], reason: str) -> None:
    """Its part of the requests gets a fault, the others are served, and the route says why."""
    tls = changed(
        service("tls"), spec__ports=[msgspec.structs.replace(service().spec.ports[0], appProtocol="https")]
    )
    services = [service(), service(namespace="team"), tls]
    world = GatewayWorld(routes=[route(rule("/", {**backend, "weight": 2}, to(weight=3)))], services=services)
    assert _route_says(world) == {"Accepted": "Accepted", "ResolvedRefs": reason}
    found = read_site(world.plan().site.tables, 20_000, Asked("a.com", "/"))
    assert found is not None
    assert [(part.weight, part.backend) for part in found.action] == [  # type: ignore[union-attr]
        (2, None),
        (3, BackendKey(WEB, NO_OPTIONS)),
    ]


def test_a_grant_lets_a_route_use_another_namespaces_service() -> None:
    """And it goes there."""
    there = to("web", namespace="team")
    world = GatewayWorld(
        routes=[route(rule("/", there))],
        services=[service(namespace="team")],
        grants=[grant("team", "HTTPRoute", "shop", "Service")],
    )
    assert _route_says(world)["ResolvedRefs"] == "ResolvedRefs"
    assert [each.target.namespace for each in world.plan().backends] == ["team"]


@pytest.mark.parametrize(
    "backends", [(), (to(weight=0),), (to("none"),)], ids=["none", "no weight", "missing"]
)
def test_a_rule_without_backends_is_a_fault(backends: tuple[Any, ...]) -> None:
    """Requests for it are answered with 500."""
    world = GatewayWorld(routes=[route(rule("/", *backends))])
    site = world.plan().site
    main = "".join(f"{line.text}\n" for line in render_site(site, "default.pem", ()).lines)
    assert "backend answer.fault\n  http-request return status 500" in main
    assert world.plan().backends == {}


def _options(*filters: dict[str, Any], **more: Any) -> Options:
    world = GatewayWorld(routes=[route(rule("/old", to(), filters=list(filters), **more))])
    assert _route_says(world) == {"Accepted": "Accepted", "ResolvedRefs": "ResolvedRefs"}
    [key] = world.plan().backends
    return key.options


def _modifier(kind: str, **given: Any) -> dict[str, Any]:
    return {"type": kind, kind[0].lower() + kind[1:]: given}


@pytest.mark.parametrize(
    ("filter_", "options"),
    [
        (
            _modifier(
                "RequestHeaderModifier",
                set=[{"name": "A", "value": "1"}, {"name": "a", "value": "2"}],
                add=[{"name": "B", "value": "100% $x"}],
                remove=["C", "c"],
            ),
            Options(request_headers=(Headers((("A", "1"),), (("B", "100% $x"),), ("c",)),)),
        ),
        (
            _modifier("ResponseHeaderModifier", add=[{"name": "B", "value": "1"}]),
            Options(response_headers=(Headers(added=(("B", "1"),)),)),
        ),
        (
            {"type": "URLRewrite", "urlRewrite": {"hostname": "x.y"}},
            Options(host="x.y"),
        ),
        (
            {
                "type": "URLRewrite",
                "urlRewrite": {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/a"}},
            },
            Options(moved=Moved(None, "/a")),
        ),
        (
            {
                "type": "URLRewrite",
                "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/b/"}},
            },
            Options(moved=Moved("/old", "/b")),
        ),
    ],
)
def test_what_filters_do(filter_: dict[str, Any], options: Options) -> None:
    """To headers, hosts and paths; of two headers of one name the first counts."""
    assert _options(filter_) == options


@pytest.mark.parametrize(
    ("timeouts", "options"),
    [
        ({"request": "1m30s"}, Options(answer_within_ms=90_000, tries_once=True)),
        ({"backendRequest": "500ms"}, Options(answer_within_ms=500)),
        ({"request": "2s", "backendRequest": "1s"}, Options(answer_within_ms=1000, tries_once=True)),
        ({"request": "0s"}, Options(answer_within_ms=24 * 86_400_000)),
        ({"request": "99999h"}, Options(answer_within_ms=24 * 86_400_000)),
    ],
)
def test_how_long_an_answer_may_take(timeouts: dict[str, str], options: Options) -> None:
    """The shorter of both; zero is as long as the proxy can wait. A limit of the whole leaves no time for a second try."""
    assert _options(timeouts=timeouts) == options


@pytest.mark.parametrize(
    ("redirect", "door", "sent"),
    [
        ({"scheme": "https"}, HTTP, ("https", "", 0, 302)),
        ({"statusCode": 301, "hostname": "b.com"}, HTTP, ("http", "b.com", 0, 301)),
        ({}, {**HTTP, "port": 8080}, ("http", "", 8080, 302)),
        ({"scheme": "http"}, {**HTTP, "port": 8080}, ("http", "", 0, 302)),
        ({"port": 80}, {**HTTP, "port": 8080}, ("http", "", 0, 302)),
        ({"port": 443}, HTTPS, ("https", "", 0, 302)),
        ({"scheme": "https", "port": 8443}, HTTP, ("https", "", 8443, 302)),
    ],
)
def test_where_clients_are_sent(
    redirect: dict[str, Any], door: dict[str, Any], sent: tuple[Any, ...]
) -> None:
    """By the listener's own scheme and port where the filter has none; a scheme's own port is not written."""
    filters = [{"type": "RequestRedirect", "requestRedirect": redirect}]
    world = GatewayWorld([gateway(door)], [route(rule("/", filters=filters))], secrets=[tls_secret(PAIR)])
    found = read_site(world.plan().site.tables, 20_000, Asked("a.com", "/"))
    assert found is not None
    assert isinstance(found.action, Answer)
    assert found.action.sent is not None
    assert found.action.sent[:4] == sent


@pytest.mark.parametrize(
    "wrong",
    [
        {"filters": [{"type": "RequestMirror"}]},
        {"filters": [{"type": "CORS"}]},
        {"filters": [_modifier("RequestHeaderModifier", set=[{"name": "a", "value": "é"}])]},
        {"filters": [_modifier("RequestHeaderModifier", remove=["a b"])]},
        {
            "filters": [
                {
                    "type": "URLRewrite",
                    "urlRewrite": {"path": {"type": "ReplaceFullPath", "replaceFullPath": "a b"}},
                }
            ]
        },
        {"retry": {"attempts": 2}},
        {"sessionPersistence": {}},
        {"matches": [{"path": {"type": "Glob", "value": "/"}}]},
        {"matches": [{"path": {"value": "/é"}}]},
        {"matches": [{"headers": [{"name": "a", "value": "1", "type": "Near"}]}]},
        {"matches": [{"queryParams": [{"name": "it's", "value": "1"}]}]},
        {"backendRefs": [to(filters=[{"type": "RequestMirror"}])]},
    ],
)
def test_what_is_not_built_says_so(wrong: dict[str, Any]) -> None:
    """The route is not accepted; where it has other rules those are followed, and it says which one is not."""
    bad = {**rule("/x", to()), **wrong}
    assert _route_says(GatewayWorld(routes=[route(bad)]))["Accepted"] == "not UnsupportedValue"
    world = GatewayWorld(routes=[route(rule("/", to()), bad)])
    assert _route_says(world) == {
        "Accepted": "Accepted",
        "ResolvedRefs": "ResolvedRefs",
        "PartiallyInvalid": "UnsupportedValue",
    }
    [(_, [judged])] = world.plan().routes
    assert judged.verdicts[2].message.startswith("Dropped Rule: rule 1: ")
    assert read_site(world.plan().site.tables, 20_000, Asked("a.com", "/")) is not None


def test_a_filter_of_another_kind_is_not_skipped() -> None:
    """Requests that it is for are answered with a fault."""
    world = GatewayWorld(routes=[route(rule("/", to(), filters=[{"type": "ExtensionRef"}]))])
    assert _route_says(world) == {"Accepted": "Accepted", "ResolvedRefs": "not InvalidKind"}
    found = read_site(world.plan().site.tables, 20_000, Asked("a.com", "/"))
    assert found is not None
    assert found.action == Answer()


def test_what_the_proxy_refuses_is_said() -> None:
    """In the route's status, with the proxy's words; the others are followed."""
    world = GatewayWorld(routes=[route(name="bad"), route(rule("/x", to()), name="good")])
    owner = next(iter(world.plan().backends.values()))
    plan = world.plan({owner: "no such expression"})
    judged = {each[0].metadata.name: each[1][0].verdicts[0] for each in plan.routes}
    assert judged[owner.name].message == "the proxy refuses it: no such expression"
    assert judged[owner.name].status is False
    assert [each.status for name, each in judged.items() if name != owner.name] == [True]


def test_others_words_stay_in_a_status() -> None:
    """What another controller has said of a route; what was said of a parent that it names no more goes."""
    theirs = RouteParentStatus(
        parentRef=route().spec.parentRefs[0], controllerName="example.com/x", conditions=[]
    )
    old = RouteParentStatus(
        parentRef=msgspec.structs.replace(route().spec.parentRefs[0], name="gone"),
        controllerName="kubarium.dev/ingress",
        conditions=[],
    )
    one = changed(route(parents=[{"name": "elsewhere"}]), status=RouteStatus(parents=[theirs, old]))
    [(found, judged)] = GatewayWorld(routes=[one]).plan().routes
    assert route_status(found, judged, "kubarium.dev/ingress", NOW).parents == [theirs]


def test_a_time_is_that_of_the_last_change() -> None:
    """A second look changes nothing; other conditions stay, and so does what somebody says of a later generation."""
    world = GatewayWorld()
    first = _gateway_says(world)
    foreign = Condition(
        type="example.com/Ready", status="True", reason="R", message="", lastTransitionTime=NOW
    )
    later = msgspec.structs.replace(first.conditions[0], observedGeneration=9, reason="Later")
    conditions = [later, first.conditions[1], foreign]
    seen = changed(world.gateways[0], status=msgspec.structs.replace(first, conditions=conditions))
    again = gateway_status(GatewayWorld([seen]).plan().gateways[0], world.fronts()[0], "2027-01-01T00:00:00Z")
    assert again == seen.status


def _published(**spec: Any) -> Service:
    return changed(
        service("ingress", "edge"),
        spec__type="LoadBalancer",
        spec__selector={"app": "ingress"},
        spec__externalTrafficPolicy="Local",
        **spec,
    )


def _stored(manifest: Any) -> Service:
    return msgspec.convert(manifest, Service)


def test_each_gateway_gets_a_service() -> None:
    """Beside the one that is published, for the same pods, with ports of the proxy's that no other has."""
    one, two = gateway(HTTP, name="one"), gateway(HTTP, name="two", addresses=[{"value": "10.0.0.9"}])
    changes = plan_services([wish(one, 80, 443), wish(two, 80)], _published(), [service()])
    first, second = map(_stored, changes.made)
    assert (first.metadata.namespace, first.spec.type, first.spec.externalTrafficPolicy) == (
        "edge",
        "LoadBalancer",
        "Local",
    )
    assert (first.spec.selector, second.spec.loadBalancerIP) == ({"app": "ingress"}, "10.0.0.9")
    assert own_ports(first).keys() == {80, 443}
    assert not set(own_ports(first).values()) & set(own_ports(second).values())
    assert (changes.patched, changes.deleted) == ([], [])
    assert plan_services([wish(one, 80, 443), wish(two, 80)], _published(), [first, second]) == Changes(
        [], [], []
    )


def test_a_service_has_the_families_of_the_one_beside_it() -> None:
    """Also where that one gets another policy later."""
    one = gateway(HTTP, name="one")
    [made] = plan_services([wish(one, 80)], _published(), []).made
    assert made["spec"]["ipFamilyPolicy"] == "SingleStack"
    both = _published(spec__ipFamilyPolicy="PreferDualStack")
    [(_, patch)] = plan_services([wish(one, 80)], both, [_stored(made)]).patched
    assert patch == {"spec": {"ipFamilyPolicy": "PreferDualStack"}}


def test_a_service_follows_its_gateway() -> None:
    """Ports that stay keep the proxy's port and their node port; without its Gateway the Service goes."""
    one = gateway(HTTP, name="one")
    [made] = plan_services([wish(one, 80, 81)], _published(), []).made
    stored = _stored(made)
    kept = own_ports(stored)[81]
    stored = changed(
        stored,
        spec__ports=[
            msgspec.structs.replace(each, nodePort=30_000 + each.port) for each in stored.spec.ports
        ],
    )
    [(name, patch)] = plan_services([wish(one, 81, 82)], _published(), [stored]).patched
    ports = {each["port"]: each for each in patch["spec"]["ports"]}
    assert name == service_name(one)
    assert (ports[81]["targetPort"], ports[81]["nodePort"]) == (kept, 30_081)
    assert ports[82]["targetPort"] != kept
    assert "nodePort" not in ports[82]
    labelled = gateway(HTTP, name="one", infrastructure={"labels": {"team": "a"}, "annotations": {"x": "y"}})
    [(_, patch)] = plan_services([wish(labelled, 80, 81)], _published(), [stored]).patched
    assert patch["metadata"]["labels"]["team"] == "a"
    assert patch["metadata"]["annotations"]["x"] == "y"
    assert plan_services([], _published(), [stored, service("mine", "edge")]).deleted == [service_name(one)]


def test_two_gateways_have_ports_of_their_own() -> None:
    """The same host at both leads to each one's own routes."""
    gateways = [gateway(HTTP, name="g"), gateway(HTTP, name="h")]
    routes = [route(name="r"), route(name="s", parents=[{"name": "h"}])]
    tables = GatewayWorld(gateways, routes).plan().site.tables
    found = [read_site(tables, port, Asked("a.com", "/")) for port in (20_000, 20_001)]
    assert [each.owner.name for each in found if each] == ["r", "s"]


def test_gateways_are_decoded_as_they_are_stored() -> None:
    """With `from`, and with nulls where there is nothing."""
    text = b'{"metadata": {"name": "g"}, "spec": {"listeners": [{"name": "a", "allowedRoutes": {"namespaces": {"from": "All"}}}]}}'
    found = msgspec.json.decode(text, type=Gateway)
    assert found.spec.listeners[0].allowedRoutes.namespaces.source == "All"
    assert msgspec.json.decode(msgspec.json.encode(found), type=Gateway) == found

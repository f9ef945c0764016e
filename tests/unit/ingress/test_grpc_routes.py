"""What becomes of calls of gRPC: which rule each follows, how endpoints are asked, and what routes say of themselves."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ingress.core.backends import BackendKey
from ingress.core.gateway.objects import GRPCRoute
from ingress.core.gateway.rendering import render_site
from ingress.core.gateway.status import route_status
from ingress.core.rules import Headers, Options, Owner, Target
from machinery.model.k8s.core_v1 import Service
from tests.support.builders import changed
from tests.support.gateway import (
    HTTP,
    Asked,
    GatewayWorld,
    call,
    gateway,
    grant,
    grpc_route,
    read_site,
    route,
    to,
)
from tests.support.ingress import service

WEB = Target("shop", "web", "80")
HTTP2 = Options(by_http2=True)


def _rule(*matches: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"matches": list(matches), "backendRefs": [to()], **more}


def _world(*routes: GRPCRoute, **more: Any) -> GatewayWorld:
    return GatewayWorld(routes=more.pop("routes", []), grpc_routes=list(routes), **more)


def _says(world: GatewayWorld, name: str = "c") -> dict[str, str]:
    found = next(each for each in world.plan().routes if each[0].metadata.name == name)
    [parent] = route_status(*found, "kubarium.dev/ingress", "2026-01-02T00:00:00Z").parents
    return {
        each.type: each.reason if each.status == "True" else f"not {each.reason}"
        for each in parent.conditions
    }


def _followed(world: GatewayWorld, path: str, host: str = "a.com", **headers: str) -> tuple[str, int] | None:
    asked = Asked(host, path, "POST", tuple(headers.items()))
    found = read_site(world.plan().site.tables, 20_000, asked)
    return (found.owner.name, found.place[0]) if found else None


def test_endpoints_are_asked_by_http2() -> None:
    """Whatever their Service says of itself; those of an HTTPRoute where it says so."""
    world = _world(grpc_route())
    assert _says(world) == {"Accepted": "Accepted", "ResolvedRefs": "ResolvedRefs"}
    assert set(world.plan().backends) == {BackendKey(WEB, HTTP2)}
    h2c = GatewayWorld(routes=[route()], services=[_speaking("kubernetes.io/h2c")])
    assert set(h2c.plan().backends) == {BackendKey(WEB, HTTP2)}


def _speaking(protocol: str) -> Service:
    return changed(
        service(), spec__ports=[msgspec.structs.replace(service().spec.ports[0], appProtocol=protocol)]
    )


@pytest.mark.parametrize(
    ("protocol", "reason"),
    [
        ("", "ResolvedRefs"),
        ("grpc", "ResolvedRefs"),
        ("kubernetes.io/h2c", "ResolvedRefs"),
        ("kubernetes.io/ws", "not UnsupportedProtocol"),
        ("https", "not UnsupportedProtocol"),
    ],
)
def test_a_backend_that_speaks_something_else_is_none(protocol: str, reason: str) -> None:
    """The route says so."""
    world = _world(grpc_route(), services=[_speaking(protocol)])
    assert _says(world)["ResolvedRefs"] == reason


@pytest.mark.parametrize(
    ("match", "paths", "others"),
    [
        (call("s.S", "M"), ["/s.S/M"], ["/s.S/m", "/s.S/M/", "/s.S", "/S/M"]),
        (call("s.S"), ["/s.S/M", "/s.S/N"], ["/s.Sx/M", "/x/s.S"]),
        (call(method="M"), ["/s.S/M", "/t/M"], ["/s.S/Mx", "/M", "/a/b/M"]),
        (call("s[.]S|t", "M|N", "RegularExpression"), ["/s.S/M", "/t/N"], ["/s.S/O", "/sxS/M", "/t/NM"]),
        (call(method="M.*", kind="RegularExpression"), ["/t/Mx"], ["/t/xM"]),
        ({}, ["/s.S/M", "/x/y"], []),
    ],
    ids=["both", "service", "method", "pattern", "pattern of the method", "every one"],
)
def test_what_a_match_fits(match: dict[str, Any], paths: list[str], others: list[str]) -> None:
    """A service and a method are two elements of the path, with their case."""
    world = _world(grpc_route(_rule(match)))
    assert [_followed(world, each) for each in paths] == [("c", 0)] * len(paths)
    assert [_followed(world, each) for each in others] == [None] * len(others)


def test_a_rule_without_matches_is_for_every_call() -> None:
    """And conditions about headers are conditions."""
    match = {"headers": [{"name": "X", "value": "1"}]}
    world = _world(grpc_route({"backendRefs": [to()]}, {"matches": [match], "backendRefs": [to()]}))
    assert _followed(world, "/a/b") == ("c", 0)
    assert _followed(world, "/a/b", x="1") == ("c", 1)


@pytest.mark.parametrize(
    "match", [call("a/b"), call("a b"), call("s", "é", "RegularExpression"), call("s", kind="Like")]
)
def test_what_cannot_be_followed_is_one_rules_matter(match: dict[str, Any]) -> None:
    """The others are followed; a route without any is not accepted."""
    found = _says(_world(grpc_route(_rule(match), _rule(call("s")))))
    assert (found["Accepted"], found["PartiallyInvalid"]) == ("Accepted", "UnsupportedValue")
    assert _says(_world(grpc_route(_rule(match))))["Accepted"] == "not UnsupportedValue"


def test_filters_change_headers() -> None:
    """Those of the two kinds that gRPC has here; others are none of its own, or not built."""
    given_ = {"set": [{"name": "A", "value": "1"}]}
    filters = [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": given_},
        {"type": "ResponseHeaderModifier", "responseHeaderModifier": given_},
    ]
    [key] = _world(grpc_route(_rule(call("s"), filters=filters))).plan().backends
    headers = (Headers((("A", "1"),)),)
    assert key.options == Options(by_http2=True, request_headers=headers, response_headers=headers)
    mirror = _world(grpc_route(_rule(call("s"), filters=[{"type": "RequestMirror"}])))
    assert _says(mirror)["Accepted"] == "not UnsupportedValue"


def test_calls_that_nobody_can_answer_are_unavailable() -> None:
    """In gRPC's words, also a part of them; an HTTPRoute's are a fault."""
    parts = [to("none", weight=1), to(weight=1)]
    world = _world(
        grpc_route({"backendRefs": parts}, hostnames=["a.com"]),
        routes=[route({"backendRefs": parts}, hostnames=["b.com"])],
    )
    assert _says(world)["ResolvedRefs"] == "not BackendNotFound"
    main = "".join(f"{line.text}\n" for line in render_site(world.plan().site, "default.pem", ()).lines)
    assert (
        "backend answer.unavailable\n  http-request return status 200 hdr Content-Type application/grpc"
        in main
    )
    assert main.count("set-var(txn.route) str(answer.unavailable)") == 1
    assert main.count("set-var(txn.route) str(answer.fault)") == 1


def test_a_grant_is_for_one_kind_of_routes() -> None:
    """An HTTPRoute's lets no GRPCRoute through."""
    there = grpc_route({"backendRefs": [to(namespace="team")]})
    for kind, reason in (("HTTPRoute", "not RefNotPermitted"), ("GRPCRoute", "ResolvedRefs")):
        grants = [grant("team", kind, "shop", "Service")]
        world = _world(there, services=[service(namespace="team")], grants=grants)
        assert _says(world)["ResolvedRefs"] == reason


def test_a_listener_says_which_kinds_go_with_it() -> None:
    """A route of another kind is not accepted."""
    only = {**HTTP, "allowedRoutes": {"kinds": [{"kind": "HTTPRoute"}]}}
    world = _world(grpc_route(), gateways=[gateway(only)])
    assert _says(world)["Accepted"] == "not NotAllowedByListeners"


@pytest.mark.parametrize(
    ("of_http", "of_grpc", "meet"),
    [
        ([], [], True),
        (["a.com"], ["a.com"], True),
        (["*.com"], ["a.com"], True),
        ([], ["a.com"], True),
        (["a.com"], ["b.com"], False),
        (["*.a.com"], ["a.com"], False),
    ],
)
def test_routes_of_two_kinds_do_not_share_hosts(
    of_http: list[str], of_grpc: list[str], *, meet: bool
) -> None:
    """The older one is followed, of the same age the first by its name; the other one is not accepted."""
    for age, name, winner in ((0, "a", "c"), (2, "z", "r"), (1, "c", "c"), (1, "s", "r")):
        calls = grpc_route(hostnames=of_grpc, age=age, name=name)
        requests = route(hostnames=of_http, age=1)
        world = _world(calls, routes=[requests])
        accepted = {each: _says(world, each)["Accepted"] for each in (name, "r")}
        loser = "r" if winner == "c" else name
        expected = dict.fromkeys(accepted, "Accepted") | ({loser: "not HostnameConflict"} if meet else {})
        assert accepted == expected, (age, name)
        [listener] = [each for _, _, _, counts in world.plan().gateways for each in counts]
        assert listener == (1 if meet else 2)


def test_routes_of_two_kinds_have_hosts_of_their_own_at_other_listeners() -> None:
    """The same hosts at another port are other requests."""
    doors = [HTTP, {**HTTP, "name": "calls", "port": 81}]
    calls = grpc_route(parents=[{"name": "g", "sectionName": "calls"}])
    world = _world(
        calls, gateways=[gateway(*doors)], routes=[route(parents=[{"name": "g", "sectionName": "http"}])]
    )
    assert {_says(world, name)["Accepted"] for name in ("c", "r")} == {"Accepted"}


def test_what_the_proxy_refuses_is_said_in_the_status() -> None:
    """Of that route alone."""
    world = _world(grpc_route())
    owner = Owner("GRPCRoute", "shop", "c", "2026-01-01T00:00:00Z")
    [(_, [judged])] = world.plan({owner: "no such thing"}).routes
    assert (judged.verdicts[0].status, judged.verdicts[0].reason) == (False, "UnsupportedValue")

"""What the definitions of examples/gateway-api.yaml fill in, and what they refuse."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from machinery.client.api import Api
from machinery.model.errors import Invalid
from tests.support.custom_resources import Custom
from tests.support.gateway_kinds import define, of_kind, written
from tests.support.scripted_api import local_registry

CLASSES = of_kind("gatewayclasses", "GatewayClass", namespaced=False)
GATEWAYS = of_kind("gateways", "Gateway")
ROUTES = of_kind("httproutes", "HTTPRoute")
CALLS = of_kind("grpcroutes", "GRPCRoute")
GRANTS = of_kind("referencegrants", "ReferenceGrant", "v1beta1")
HTTP: dict[str, Any] = {"name": "http", "port": 80, "protocol": "HTTP"}
HTTPS: dict[str, Any] = {"name": "https", "port": 443, "protocol": "HTTPS"}


def gateway(*listeners: dict[str, Any], **spec: Any) -> Custom:
    return written(
        "Gateway", "g", {"gatewayClassName": "c", "listeners": list(listeners), **spec}, namespace="default"
    )


def route(*rules: dict[str, Any], **spec: Any) -> Custom:
    return written(
        "HTTPRoute", "r", {"parentRefs": [{"name": "g"}], "rules": list(rules), **spec}, namespace="default"
    )


def calls(*rules: dict[str, Any]) -> Custom:
    return written(
        "GRPCRoute", "c", {"parentRefs": [{"name": "g"}], "rules": list(rules)}, namespace="default"
    )


def called(**method: Any) -> dict[str, Any]:
    return {"matches": [{"method": method}]}


def at(path: str, kind: str = "PathPrefix", **rule: Any) -> dict[str, Any]:
    return {"matches": [{"path": {"type": kind, "value": path}}], **rule}


def filters(kind: str, key: str, **given: Any) -> dict[str, Any]:
    return {"filters": [{"type": kind, key: given}]}


REFUSED: list[tuple[Any, Custom, str]] = [
    (CLASSES, written("GatewayClass", "c", {"controllerName": "no-path"}), "spec.controllerName"),
    (GATEWAYS, gateway(), "spec.listeners"),
    (GATEWAYS, gateway({**HTTP, "tls": {}}), "tls must not be specified for protocols"),
    (
        GATEWAYS,
        gateway({**HTTPS, "tls": {"mode": "Passthrough"}}),
        "tls mode must be Terminate for protocol HTTPS",
    ),
    (GATEWAYS, gateway({**HTTPS, "tls": {}}), "certificateRefs or options must be specified"),
    (GATEWAYS, gateway({**HTTP, "protocol": "TLS"}), "tls mode must be set for protocol TLS"),
    (GATEWAYS, gateway({**HTTP, "protocol": "TCP", "hostname": "a.com"}), "hostname must not be specified"),
    (GATEWAYS, gateway(HTTP, {**HTTP, "name": "two"}), "Combination of port, protocol and hostname"),
    (GATEWAYS, gateway({**HTTP, "port": 0}), "spec.listeners[0].port"),
    (GATEWAYS, gateway({**HTTP, "hostname": "*.*.com"}), "spec.listeners[0].hostname"),
    (GATEWAYS, gateway(HTTP, addresses=[{"value": "here"}]), "spec.addresses[0]"),
    (GATEWAYS, gateway(HTTP, addresses=[{"value": "10.0.0.1"}] * 2), "IPAddress values must be unique"),
    (ROUTES, route(at("a")), "start with '/'"),
    (ROUTES, route(at("/a//b")), "must not contain '//'"),
    (ROUTES, route(at("/a/../b", "Exact")), "must not contain '/../'"),
    (ROUTES, route(at("/a b")), "must only contain valid characters"),
    (ROUTES, route(at("/", "Glob")), "spec.rules[0].matches[0].path.type"),
    (ROUTES, route({"backendRefs": [{"name": "s"}]}), "Must have port for Service reference"),
    (ROUTES, route({"backendRefs": [{"name": "s", "port": 1, "weight": -1}]}), "weight"),
    (
        ROUTES,
        route(
            {
                "backendRefs": [{"name": "s", "port": 1}],
                **filters("RequestRedirect", "requestRedirect", scheme="https"),
            }
        ),
        "RequestRedirect filter must not be used together with backendRefs",
    ),
    (
        ROUTES,
        route(
            at(
                "/",
                "Exact",
                **filters(
                    "URLRewrite", "urlRewrite", path={"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}
                ),
            )
        ),
        "exactly one PathPrefix match must be specified",
    ),
    (ROUTES, route(filters("URLRewrite", "requestRedirect")), "filter.urlRewrite must be specified"),
    (
        ROUTES,
        route({"filters": [{"type": "URLRewrite", "urlRewrite": {}}] * 2}),
        "URLRewrite filter cannot be repeated",
    ),
    (
        ROUTES,
        route({"timeouts": {"request": "1s", "backendRequest": "2s"}}),
        "backendRequest timeout cannot be longer",
    ),
    (ROUTES, route({"timeouts": {"request": "1 s"}}), "spec.rules[0].timeouts.request"),
    (ROUTES, route(*[{"matches": [{}] * 40}] * 4), "the total number of matches"),
    (ROUTES, route({"name": "x"}, {"name": "x"}), "Rule name must be unique"),
    (
        ROUTES,
        route(parentRefs=[{"name": "g"}, {"name": "g", "sectionName": "a"}]),
        "sectionName must be specified",
    ),
    (ROUTES, route(parentRefs=[{"name": "g", "sectionName": "a"}] * 2), "sectionName must be unique"),
    (CALLS, calls(called()), "One or both of 'service' or 'method' must be specified"),
    (CALLS, calls(called(service="a/b")), "service must only contain valid characters"),
    (CALLS, calls(called(service="a", method="B.C")), "method must only contain valid characters"),
    (CALLS, calls(called(service="a", type="Prefix")), "spec.rules[0].matches[0].method.type"),
    (
        CALLS,
        calls(filters("RequestRedirect", "requestRedirect", scheme="https")),
        "spec.rules[0].filters[0].type",
    ),
    (CALLS, calls({"filters": [{"type": "RequestMirror"}]}), "filter.requestMirror must be specified"),
    (CALLS, calls({"backendRefs": [{"name": "s"}]}), "Must have port for Service reference"),
    (CALLS, calls(*[{"matches": [{}] * 40}] * 4), "the total number of matches"),
    (CALLS, calls({"name": "x"}, {"name": "x"}), "Rule name must be unique"),
    (GRANTS, written("ReferenceGrant", "g", {"from": []}, version="v1beta1", namespace="default"), "spec.to"),
]


def run_defined(check: Callable[[Api], Awaitable[None]]) -> None:
    """Run a check where the kinds are served."""

    async def main() -> None:
        async with local_registry() as registry:
            await define(registry.user)
            await check(registry.user)

    asyncio.run(main())


def test_what_is_filled_in() -> None:
    """A new Gateway says that nobody has looked at it; a rule without matches is for every request; both versions are served."""

    async def check(api: Api) -> None:
        made = await api.create(GATEWAYS, gateway(HTTP))
        conditions = [(each["type"], each["status"], each["reason"]) for each in made.status["conditions"]]
        assert conditions == [("Accepted", "Unknown", "Pending"), ("Programmed", "Unknown", "Pending")]
        assert made.spec["listeners"] == [{**HTTP, "allowedRoutes": {"namespaces": {"from": "Same"}}}]
        every = {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}
        backend = {"group": "", "kind": "Service", "name": "s", "port": 80, "weight": 1}
        found = await api.create(ROUTES, route({"backendRefs": [{"name": "s", "port": 80}]}))
        assert found.spec["rules"] == [{**every, "backendRefs": [backend]}]
        call = await api.create(
            CALLS, calls({**called(service="s"), "backendRefs": [{"name": "s", "port": 80}]})
        )
        match = {"method": {"type": "Exact", "service": "s"}}
        assert call.spec["rules"] == [{"matches": [match], "backendRefs": [backend]}]
        assert found.spec["parentRefs"] == [
            {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "g"}
        ]
        older = await api.get(of_kind("httproutes", "HTTPRoute", "v1beta1"), "r", namespace="default")
        assert older.spec == found.spec

    run_defined(check)


def test_a_controller_name_stays() -> None:
    """It is part of what its Gateways were made for."""

    async def check(api: Api) -> None:
        await api.create(CLASSES, written("GatewayClass", "c", {"controllerName": "kubarium.dev/ingress"}))
        with pytest.raises(Invalid, match="Value is immutable"):
            await api.patch(CLASSES, "c", {"spec": {"controllerName": "example.com/other"}})

    run_defined(check)


def test_what_is_refused() -> None:
    """Each for its own reason, which names the field or says what is wrong; nothing of it is stored."""

    async def check(api: Api) -> None:
        for resource, made, said in REFUSED:
            with pytest.raises(Invalid) as refused:
                await api.create(resource, made)
            assert said in str(refused.value), made.spec
            assert (await api.list(resource)).items == []

    run_defined(check)

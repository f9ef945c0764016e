"""Gateways with the real proxy: what clients get, and what the objects say by then."""

from __future__ import annotations

import os
import random
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from ingress import gateway_watching
from ingress.core.gateway import services
from ingress.core.gateway.objects import (
    GATEWAY_CLASSES,
    GATEWAYS,
    GRPC_ROUTES,
    HTTP_ROUTES,
    REFERENCE_GRANTS,
    HTTPRoute,
)
from ingress.core.gateway.services import own_ports, service_name
from machinery.model.conditions import find
from machinery.model.resources import ENDPOINT_SLICES, INGRESSES, SECRETS, SERVICES
from tests.support.builders import changed
from tests.support.gateway import (
    HTTP,
    HTTPS,
    Asked,
    call,
    follow_slowly,
    gateway,
    gateway_class,
    grant,
    grpc_route,
    route,
    rule,
    to,
)
from tests.support.gateway_kinds import define
from tests.support.grpc_peer import SERVICE, serving
from tests.support.ingress import certificate, ingress, path, service, tls_secret
from tests.support.ingress_controller import Running, own_address, running
from tests.support.requirements import need
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(180)
PAIR = certificate("a.com")


@pytest.fixture(autouse=True)
def proxy_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy's program; kinds are looked for often; and ports are other ones than those of a test beside this one."""
    need("haproxy")
    first = random.SystemRandom().randrange(services.FIRST_PORT, services.LAST_PORT - 100)
    monkeypatch.setattr(services, "FIRST_PORT", first)
    monkeypatch.setattr(gateway_watching, "LOOK_S", 0.1)


class Edge:
    """A controller that follows Gateways."""

    def __init__(self, here: Running) -> None:
        self.here = here
        self.api = here.registry.user

    async def apply(self, *objects: Any) -> None:
        """Store objects, and wait until the proxy and their statuses follow."""
        every = (GATEWAY_CLASSES, GATEWAYS, HTTP_ROUTES, GRPC_ROUTES, REFERENCE_GRANTS)
        kinds = {each.kind: each for each in every}
        for each in objects:
            await self.here.registry.given(kinds[each.kind], each)
        await self.settled()

    async def settled(self) -> None:
        """Wait until everything that is stored is followed."""
        syncer, watched = self.here.controller._syncer, self.here.controller._watched.gateways

        async def is_known() -> bool:
            stores = (
                (HTTP_ROUTES, watched.routes),
                (GRPC_ROUTES, watched.grpc_routes),
                (GATEWAYS, watched.gateways),
                (REFERENCE_GRANTS, watched.grants),
            )
            for resource, store in stores:
                listed = (await self.api.list(resource)).items  # type: ignore[var-annotated, arg-type]
                now = {(each.metadata.name, each.metadata.generation) for each in listed}
                if now != {(each.metadata.name, each.metadata.generation) for each in store}:
                    return False
            return syncer.is_settled and await self._is_said()

        await until(is_known, what="the proxy follows")
        assert syncer.problem == ""

    async def _is_said(self) -> bool:
        for each in (await self.api.list(GATEWAYS)).items:
            programmed = find(each.status.conditions, "Programmed")
            if programmed is None or programmed.reason == "AddressNotAssigned":
                return False
            if any(not each_.conditions for each_ in each.status.listeners) or not each.status.listeners:
                return False
        return True

    async def port(self, port: int = 80, name: str = "g") -> int:
        """Return the proxy's own port for one of a Gateway's."""
        of = await self.api.get(GATEWAYS, name, namespace="shop")
        front = await self.api.get(SERVICES, service_name(of), namespace="shop")
        return own_ports(front)[port]

    async def raw(
        self, host: str, path_: str = "/", port: int = 0, method: str = "GET", **headers: str
    ) -> Any:
        """Ask the proxy; return the response, read."""
        url = f"http://127.0.0.1:{port or await self.port()}{path_}"
        sent = {"Host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with self.here.client.request(method, url, headers=sent, allow_redirects=False) as response:
            await response.read()
            return response

    async def get(self, host: str, path_: str = "/", **more: Any) -> tuple[int, Any]:
        """Ask the proxy; return the status and what a web server said, or a text."""
        response = await self.raw(host, path_, **more)
        is_json = response.content_type == "application/json"
        return response.status, await (response.json() if is_json else response.text())


@asynccontextmanager
async def edge(folder: Path) -> AsyncIterator[Edge]:
    """Run a controller where the kinds are served, with two web servers and a class."""
    async with running(folder, publish_service="shop/edge") as here:
        await here.registry.given(SERVICES, changed(service("edge", "shop"), spec__clusterIP=""))
        await here.serve("web")
        await here.serve("api")
        await define(here.registry.user)
        found = Edge(here)
        await here.registry.given(GATEWAY_CLASSES, gateway_class())
        yield found


def _modifier(kind: str, **given: Any) -> dict[str, Any]:
    return {"type": kind, kind[0].lower() + kind[1:]: given}


def _moved(kind: str, key: str, value: str) -> dict[str, Any]:
    return {"type": "URLRewrite", "urlRewrite": {"path": {"type": kind, key: value}}}


async def test_what_clients_get(tmp_path: Path) -> None:
    """Conditions about everything, filters, faults; a certificate by the listener; and who has nothing to serve."""
    async with edge(tmp_path) as here:
        await here.here.registry.given(SECRETS, tls_secret(PAIR))
        headers = _modifier(
            "RequestHeaderModifier",
            set=[{"name": "X-Set", "value": '100% a\'b "c" } $HOME #'}],
            add=[{"name": "X-Add", "value": "2"}],
            remove=["X-Gone"],
        )
        answered = _modifier("ResponseHeaderModifier", set=[{"name": "X-Answer", "value": "%[src]"}])
        value = 'it\'s } "2" #'
        await here.apply(
            gateway(HTTP, HTTPS),
            route(
                rule("/", to(), filters=[headers, answered]),
                rule("/only", to("api"), kind="Exact"),
                {"matches": [{"headers": [{"name": "X-V", "value": value}]}], "backendRefs": [to("api")]},
                {"matches": [{"queryParams": [{"name": "v", "value": "a b"}]}], "backendRefs": [to("api")]},
                {"matches": [{"method": "PATCH"}], "backendRefs": [to("api")]},
                {
                    "matches": [{"path": {"type": "RegularExpression", "value": "/[0-9]+/it's"}}],
                    "backendRefs": [to("api")],
                },
                rule("/fault", to("none")),
                rule("/empty"),
                rule("/slow", to(), timeouts={"request": "300ms"}),
                hostnames=["a.com", "*.b.com"],
            ),
        )
        status, said = await here.get(
            "a.com:80", "/x?y=%20z", X_Gone="1", X_Add="1", X_Forwarded_For="6.6.6.6"
        )
        assert (status, said["from"], said["path"]) == (200, "web", "/x?y=%20z")
        sent = said["headers"]
        assert (sent["X-Set"], sent["Host"], sent["X-Forwarded-Port"]) == (
            '100% a\'b "c" } $HOME #',
            "a.com:80",
            "80",
        )
        assert ("X-Gone" in sent, sent["X-Forwarded-For"]) == (False, "127.0.0.1")
        assert (await here.raw("a.com")).headers["X-Answer"] == "%[src]"
        for path_, more in (
            ("/only", {}),
            ("/", {"X_V": value}),
            ("/?v=a%20b", {}),
            ("/?v=a+b&v=c", {}),
            ("/12/it's", {}),
        ):
            assert (await here.get("a.com", path_, **more))[1]["from"] == "api", path_
        assert (await here.get("a.com", "/", method="PATCH"))[1]["from"] == "api"
        for path_, more in (("/only/", {}), ("/", {"X_V": "it's"}), ("/?v=ab", {}), ("/x12/it's", {})):
            assert (await here.get("a.com", path_, **more))[1]["from"] == "web", path_
        assert (await here.get("x.y.b.com"))[1]["from"] == "web"
        assert [(await here.get(host))[0] for host in ("b.com", "c.com")] == [404, 404]
        assert [(await here.get("a.com", path_))[0] for path_ in ("/fault", "/empty")] == [500, 500]
        assert (await here.get("a.com", "/slow?slow=5"))[0] == 504
        here.here.config = replace(here.here.config, https_port=await here.port(443))  # for the client alone
        assert here.here.shown_to("a.com") == ssl.PEM_cert_to_DER_cert(PAIR[0].decode())
        status, said = await here.here.get("a.com", tls=True)
        assert (status, said["headers"]["X-Forwarded-Proto"], said["headers"]["X-Forwarded-Port"]) == (
            200,
            "https",
            "443",
        )


async def test_calls_of_grpc(tmp_path: Path) -> None:
    """With gRPC's own library: answers, streams both ways, errors, metadata; in the clear and by TLS; who answers nothing is unavailable."""
    async with edge(tmp_path) as here, serving(f"{own_address()}:0") as (_, port):
        await here.here.registry.given(SECRETS, tls_secret(PAIR))
        await here.here.registry.given(SERVICES, changed(service("echo", "shop"), spec__clusterIP=""))
        await here.here.registry.given(ENDPOINT_SLICES, here.here.slice_of("echo", port, "0"))
        changes = _modifier("RequestHeaderModifier", set=[{"name": "x-set", "value": "1"}])
        await here.apply(
            gateway(HTTP, HTTPS),
            grpc_route(
                {"matches": [call(SERVICE)], "filters": [changes], "backendRefs": [to("echo")]},
                {"matches": [call(SERVICE, "Nobody")], "backendRefs": [to("none")]},
                hostnames=["a.com"],
            ),
        )
        plain, secure = await here.port(), await here.port(443)
        trusting = grpc.ssl_channel_credentials(PAIR[0])
        by_name = [("grpc.default_authority", "a.com"), ("grpc.ssl_target_name_override", "a.com")]
        channels = [
            grpc.aio.insecure_channel(f"127.0.0.1:{plain}", by_name),
            grpc.aio.secure_channel(f"127.0.0.1:{secure}", trusting, by_name),
        ]
        for channel in channels:
            async with channel:
                ask = channel.unary_unary(f"/{SERVICE}/Ask")
                assert await ask(b"hello", timeout=60) == b"hello"
                assert b"('x-set', '1')" in await ask(b"metadata", timeout=60)
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await ask(b"fail NOT_FOUND it is gone", timeout=60)
                assert (refused.value.code(), refused.value.details()) == (
                    grpc.StatusCode.NOT_FOUND,
                    "it is gone",
                )
                answers = channel.unary_stream(f"/{SERVICE}/Answers")(b"20 100000", timeout=60)
                assert [len(each) async for each in answers] == [100_000] * 20
                talk = channel.stream_stream(f"/{SERVICE}/Talk")(timeout=60)
                for said in (b"one", b"two"):
                    await talk.write(said)
                    assert await talk.read() == said
                await talk.done_writing()
                assert await talk.read() is grpc.aio.EOF
                for method, code in (
                    (f"/{SERVICE}/Nobody", grpc.StatusCode.UNAVAILABLE),
                    ("/other.Service/Ask", grpc.StatusCode.UNIMPLEMENTED),
                ):
                    with pytest.raises(grpc.aio.AioRpcError) as refused:
                        await channel.unary_unary(method)(b"", timeout=60)
                    assert refused.value.code() == code, method


async def test_paths_and_redirections(tmp_path: Path) -> None:
    """The table of the specification, and where clients are sent."""
    table = [
        ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
        ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
        ("/foo/bar", "/foo/", "/xyz", "/xyz/bar"),
        ("/foo/bar", "/foo/", "/xyz/", "/xyz/bar"),
        ("/foo", "/foo", "/xyz", "/xyz"),
        ("/foo/", "/foo", "/xyz", "/xyz/"),
        ("/foo/bar", "/foo", "", "/bar"),
        ("/foo/", "/foo", "", "/"),
        ("/foo", "/foo", "", "/"),
        ("/foo/", "/foo", "/", "/"),
        ("/foo", "/foo", "/", "/"),
        ("/foo/foo", "/foo", "/", "/foo"),
        ("/a.b+c/x", "/a.b+c", "/100%25", "/100%25/x"),
        ("/x", "/", "/new", "/new/x"),
    ]
    redirections: list[tuple[dict[str, Any], str]] = [
        ({"scheme": "https"}, "https://r.com/p/q?x=1"),
        ({"hostname": "b.com", "statusCode": 301, "port": 8443}, "http://b.com:8443/p/q?x=1"),
        ({"path": {"type": "ReplaceFullPath", "replaceFullPath": "/z"}}, "http://r.com:8081/z?x=1"),
        ({"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/z"}}, "http://r.com:8081/z/q?x=1"),
    ]
    async with edge(tmp_path) as here:
        routes = [
            route(
                rule(prefix, to(), filters=[_moved("ReplacePrefixMatch", "replacePrefixMatch", target)]),
                name=f"t{index}",
                hostnames=[f"t{index}.com"],
            )
            for index, (_, prefix, target, _) in enumerate(table)
        ]
        routes += [
            route(
                rule("/p", filters=[{"type": "RequestRedirect", "requestRedirect": given}]),
                name=f"r{index}",
                hostnames=["r.com"],
                parents=[{"name": "g", "sectionName": f"d{index}"}],
            )
            for index, (given, _) in enumerate(redirections)
        ]
        whole = route(
            rule("/", to(), filters=[_moved("ReplaceFullPath", "replaceFullPath", "/all%20")]),
            name="w",
            hostnames=["w.com"],
        )
        doors = [
            {**HTTP, "name": f"d{index}", "port": port} for index, port in enumerate((90, 91, 8081, 8082))
        ]
        doors[3] = {**doors[3], "port": 8081, "hostname": "r.com", "name": "d3"}
        doors[2] = {**doors[2], "hostname": "*.com"}
        await here.apply(gateway(HTTP, *doors[:2]), *routes[: len(table)], whole)
        for index, (asked, _, _, expected) in enumerate(table):
            assert (await here.get(f"t{index}.com", f"{asked}?q=/foo"))[1]["path"] == f"{expected}?q=/foo", (
                table[index]
            )
        assert (await here.get("w.com", "/a/b?q=1"))[1]["path"] == "/all%20?q=1"
        for index, (given, location) in enumerate(redirections):
            door = {**HTTP, "name": f"d{index}", "port": 80 if index < 2 else 8081}
            await here.apply(
                gateway(door, name=f"n{index}"), changed_parent(routes[len(table) + index], f"n{index}")
            )
            port = await here.port(door["port"], f"n{index}")
            found = await here.raw("r.com:123", "/p/q?x=1", port=port)
            assert (found.status, found.headers["Location"]) == (given.get("statusCode", 302), location)


def changed_parent(one: HTTPRoute, name: str) -> HTTPRoute:
    """Return a route of another Gateway."""
    return changed(one, spec__parentRefs=[changed(one.spec.parentRefs[0], name=name)])


async def test_requests_are_shared_by_weight(tmp_path: Path) -> None:
    """Whatever the number of endpoints; a part that nobody can answer gets a fault; weight 0 gets nothing."""
    async with edge(tmp_path) as here:
        await here.here.serve("many", count=3)
        backends = [to(weight=3), to("many", weight=1), to("none", weight=1), to("api", weight=0)]
        await here.apply(gateway(), route(rule("/", *backends)))
        port, counts = await here.port(), Counter[str]()
        for _ in range(500):
            status, said = await here.get("a.com", port=port)
            counts[said["from"] if status == 200 else str(status)] += 1
        assert set(counts) == {"web", "many", "500"}
        assert 240 < counts["web"] < 360
        assert 60 < counts["many"] < 140
        assert 60 < counts["500"] < 140


async def test_gateways_and_ingresses_do_not_meet(tmp_path: Path) -> None:
    """Each has ports of its own; kinds that come later are followed, and what goes is not served any more."""
    async with edge(tmp_path) as here:
        await here.here.apply(ingress("one", ("a.com", [path("/", "api")])))
        await here.apply(
            gateway(),
            gateway(name="h"),
            route(),
            route(rule("/", to("api")), name="s", parents=[{"name": "h"}]),
        )
        ports = [await here.port(name=name) for name in ("g", "h")]
        assert [(await here.get("a.com", port=port))[1]["from"] for port in ports] == ["web", "api"]
        assert (await here.here.get("a.com"))[1]["from"] == "api"
        await here.api.delete(INGRESSES, "one", namespace="shop")
        await here.api.delete(GATEWAYS, "h", namespace="shop")

        async def is_gone() -> bool:
            services = (await here.api.list(SERVICES)).items
            return len([each for each in services if each.metadata.name.startswith("gateway-")]) == 1

        await until(is_gone, what="the Service of h is deleted")
        await here.settled()
        assert (await here.get("a.com", port=ports[0]))[1]["from"] == "web"
        await until(lambda: _is_closed(here, ports[1]), what="the port of h is closed")
        found = await here.api.get(HTTP_ROUTES, "s", namespace="shop")
        await until(lambda: _has_no_parents(here, found))


async def _is_closed(here: Edge, port: int) -> bool:
    try:
        await here.raw("a.com", port=port)
    except OSError as error:
        return "Cannot connect" in str(error)
    return False


async def _has_no_parents(here: Edge, one: HTTPRoute) -> bool:
    found = await here.api.get(HTTP_ROUTES, one.metadata.name, namespace=one.metadata.namespace)
    return found.status.parents == []


async def test_what_the_proxy_refuses_is_one_routes_matter(tmp_path: Path) -> None:
    """The others are followed; its status says why, until it changes. So does a grant that comes and goes."""
    async with edge(tmp_path) as here:
        bad = {"matches": [{"path": {"type": "RegularExpression", "value": "/("}}], "backendRefs": [to()]}
        await here.apply(
            gateway(), route(name="good", hostnames=["a.com"]), route(bad, name="bad", hostnames=["b.com"])
        )

        async def says(name: str, type_: str) -> str:
            found = await here.api.get(HTTP_ROUTES, name, namespace="shop")
            condition = find(found.status.parents[0].conditions, type_) if found.status.parents else None
            return f"{condition.status} {condition.reason}" if condition else ""

        async def eventually(name: str, type_: str, said: str) -> None:
            async def is_so() -> bool:
                return await says(name, type_) == said

            await until(is_so, what=f"{name} says {type_} {said}")

        await eventually("bad", "Accepted", "False UnsupportedValue")
        assert (await here.get("a.com"))[0] == 200
        fixed = [
            {"matches": [{"path": {"type": "RegularExpression", "value": "/x."}}], "backendRefs": [to()]}
        ]
        await here.api.patch(HTTP_ROUTES, "bad", {"spec": {"rules": fixed}}, namespace="shop")
        await eventually("bad", "Accepted", "True Accepted")
        await here.settled()
        assert (await here.get("b.com", "/xy"))[0] == 200
        far = route(rule("/", to("there", namespace="default")), name="far", hostnames=["f.com"])
        await here.here.registry.given(SERVICES, changed(service("there", "default"), spec__clusterIP=""))
        await here.apply(far)
        await eventually("far", "ResolvedRefs", "False RefNotPermitted")
        assert (await here.get("f.com"))[0] == 500
        await here.apply(grant("default", "HTTPRoute", "shop", "Service"))
        await eventually("far", "ResolvedRefs", "True ResolvedRefs")
        assert (await here.get("f.com"))[0] == 503  # it has no endpoints
        await here.api.delete(REFERENCE_GRANTS, "grant", namespace="default")
        await eventually("far", "ResolvedRefs", "False RefNotPermitted")


async def test_requests_go_where_a_slow_reading_of_the_documents_says(tmp_path: Path) -> None:
    """Random routes, one after the other at the same proxy; random requests."""
    seed = int(os.environ.get("KUBARIUM_SEED", "7"))
    draw = random.Random(seed)
    hosts = ("a.com", "x.a.com", "*.a.com", "*.x.a.com", "*.com")
    listeners = ("", "*.a.com", "x.a.com")
    doors = [{**HTTP, "name": f"l{number}", "hostname": host} for number, host in enumerate(listeners)]
    doors[0].pop("hostname")

    def some_path() -> str:
        return "".join(f"/{draw.choice('aab')}" for _ in range(draw.randrange(3))) or "/"

    def some_values() -> list[dict[str, str]]:
        kinds = [(name, *draw.choice((("1", "Exact"), ("1|2", "RegularExpression")))) for name in "xy"]
        return [
            {"name": name, "value": value, "type": type_}
            for name, value, type_ in kinds
            if draw.random() < 0.4
        ]

    def some_match() -> dict[str, Any]:
        kind = draw.choice(("PathPrefix", "PathPrefix", "Exact", "RegularExpression"))
        found = {
            "path": {
                "type": kind,
                "value": draw.choice(("/a.*", "/[ab]/?")) if kind[0] == "R" else some_path(),
            }
        }
        method = {"method": "POST"} if draw.random() < 0.3 else {}
        return {**found, "headers": some_values(), "queryParams": some_values(), **method}

    def some_rule(name: str, number: int) -> dict[str, Any]:
        mark = _modifier("ResponseHeaderModifier", set=[{"name": "X-Rule", "value": f"{name} {number}"}])
        return {"matches": [some_match(), some_match()], "backendRefs": [to()], "filters": [mark]}

    async with edge(tmp_path) as here:
        await here.apply(gateway(*doors))
        port = await here.port()
        for round_ in range(3):
            names = [f"r{round_}-{number}" for number in range(3)]
            await here.apply(
                *(
                    route(
                        *(some_rule(name, each) for each in range(3)),
                        name=name,
                        hostnames=draw.sample(hosts, 2),
                    )
                    for name in names
                )
            )
            routes = (await here.api.list(HTTP_ROUTES)).items
            for _ in range(150):
                values = [
                    [(name, draw.choice("12")) for name in "xy" if draw.random() < 0.7] for _ in range(2)
                ]
                host = draw.choice(("a.com", "x.a.com", "y.a.com", "z.x.a.com", "b.com", "b.net"))
                asked = Asked(
                    host, some_path(), draw.choice(("GET", "POST")), tuple(values[0]), tuple(values[1])
                )
                query = "&".join(f"{name}={value}" for name, value in asked.query)
                found = await here.raw(
                    asked.host, f"{asked.path}?{query}", port=port, method=asked.method, **dict(asked.headers)
                )
                expected = follow_slowly(listeners, routes, asked)
                said = found.headers.get("X-Rule", "")
                assert said == (f"{expected[0]} {expected[1]}" if expected else ""), (seed, asked)
                assert found.status == (200 if expected else 404)

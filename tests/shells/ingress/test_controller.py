"""The controller with the real proxy: what clients get, and what they do not notice."""

from __future__ import annotations

import asyncio
import io
import os
import random
import signal
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ingress.app import has_ipv6
from ingress.core.ingresses import read_ingress
from ingress.haproxy import ProxyError
from machinery.model.k8s.core_v1 import ConfigMap
from machinery.model.resources import (
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    EVENTS,
    INGRESS_CLASSES,
    INGRESSES,
    SECRETS,
    SERVICES,
)
from tests.support.builders import meta
from tests.support.ingress import NGINX, certificate, ingress, path, route_slowly, settings_of, tls_secret
from tests.support.ingress_controller import Running, names_of, own_address, running
from tests.support.requirements import need
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(180)
PAIRS = {host: certificate(host) for host in ("a.com", "b.com")}


@pytest.fixture(autouse=True)
def proxy_is_installed() -> None:
    """The proxy's program."""
    need("haproxy")


async def test_what_clients_get(tmp_path: Path) -> None:
    """Hosts, paths, headers, a redirection, a limit, another path, WebSockets, and who has nothing to serve."""
    async with running(tmp_path) as here:
        await here.serve("web")
        await here.serve("api")
        annotations = {NGINX + "proxy-body-size": "1k", NGINX + "rewrite-target": "/new/$2"}
        await here.apply(
            ingress("one", ("a.com", [path("/"), path("/api", "api"), path("/none", "none")])),
            ingress(
                "two",
                ("a.com", [path("/old(/|$)(.*)", "api", "ImplementationSpecific")]),
                annotations=annotations,
            ),
            ingress("three", ("s.com", [path("/")]), tls=[{"hosts": ["s.com"], "secretName": "missing"}]),
        )
        status, said = await here.get(
            "a.com", "/x?y=%20z", headers={"X-Forwarded-For": "6.6.6.6", "X-Mine": "1"}
        )
        assert (status, said["from"], said["path"]) == (200, "web", "/x?y=%20z")
        sent = said["headers"]
        assert (sent["Host"], sent["X-Mine"], sent["X-Forwarded-Host"]) == ("a.com", "1", "a.com")
        assert (sent["X-Forwarded-For"], sent["X-Forwarded-Proto"], sent["X-Forwarded-Port"]) == (
            "127.0.0.1",
            "http",
            "80",
        )
        assert len(sent["X-Request-Id"]) == 36
        assert (await here.get("A.com:80", "/api/"))[1]["from"] == "api"
        assert (await here.get("a.com", "/apis"))[1]["from"] == "web"
        assert (await here.get("a.com", "/none"))[0] == 503
        assert (await here.get("other.com"))[0] == 404
        assert (await here.get("a.com", "/OLD/x/y?z=1"))[1]["path"] == "/new/x/y?z=1"
        small, large = b"x" * 1024, b"x" * 1025
        assert (await here.get("a.com", "/old", method="POST", data=small))[1]["bytes"] == 1024
        assert (await here.get("a.com", "/old", method="POST", data=large))[0] == 413
        assert (await here.get("a.com", "/", method="POST", data=io.BytesIO(large * 4096)))[1][
            "bytes"
        ] == 1025 * 4096
        assert (await here.get("a.com", "/old", method="POST", data=io.BytesIO(small)))[1]["bytes"] == 1024
        assert (await here.get("a.com", "/old", method="POST", data=io.BytesIO(large)))[0] == 413
        sent_away = await here.raw("s.com", "/x?y=1")
        assert (sent_away.status, sent_away.headers["Location"]) == (308, "https://s.com/x?y=1")
        status, said = await here.get("s.com", "/x", tls=True)
        assert (status, said["headers"]["X-Forwarded-Proto"]) == (200, "https")
        url = f"http://127.0.0.1:{here.config.http_port}/ws"
        async with here.client.ws_connect(url, headers={"Host": "a.com"}) as talk:
            await talk.send_str("hello")
            assert await talk.receive_str(timeout=60) == "echo hello"
        for where in {"127.0.0.1", "[::1]"} if has_ipv6() else {"127.0.0.1"}:
            said = await here.get("a.com", "/", at=where, tls=True)
            assert said[1]["headers"]["X-Forwarded-For"] == where.strip("[]")
        assert (await here.own("/readyz"))[0] == 200
        assert "haproxy_process_connections_total" in (await here.own("/metrics/proxy"))[1]
        assert (await here.own("/faults"))[0] == 404


async def test_certificates(tmp_path: Path) -> None:
    """By the name that the client asks for; HTTP/2 for those who can; a Secret that comes, changes and goes is followed."""
    async with running(tmp_path, (SECRETS, tls_secret(PAIRS["a.com"], "a"))) as here:
        await here.serve("web")
        tls = [{"hosts": ["a.com"], "secretName": "a"}, {"hosts": ["b.com"], "secretName": "b"}]
        await here.apply(ingress("one", ("a.com", [path("/")]), ("b.com", [path("/")]), tls=tls))

        def shows(host: str, pair: tuple[bytes, bytes]) -> bool:
            return here.shown_to(host) == ssl.PEM_cert_to_DER_cert(pair[0].decode())

        assert shows("a.com", PAIRS["a.com"])
        own = here.shown_to("b.com")
        assert own == here.shown_to("elsewhere.com")
        await here.registry.given(SECRETS, tls_secret(PAIRS["b.com"], "b"))
        await until(lambda: shows("b.com", PAIRS["b.com"]))
        changed_pair = certificate("a.com")
        await here.registry.user.patch(
            SECRETS, "a", {"data": tls_secret(changed_pair).data}, namespace="shop"
        )
        await until(lambda: shows("a.com", changed_pair))
        await here.registry.user.delete(SECRETS, "b", namespace="shop")
        await until(lambda: here.shown_to("b.com") == own)
        assert shows("a.com", changed_pair)
        need_curl = ["curl", "-sk", "--http2", "-o/dev/null", "-w%{http_version} %{http_code}", "--resolve"]
        port = here.config.https_port
        process = await asyncio.create_subprocess_exec(
            *need_curl, f"a.com:{port}:127.0.0.1", f"https://a.com:{port}/", stdout=subprocess.PIPE
        )
        assert (await process.communicate())[0] == b"2 200"


async def test_requests_go_where_a_slow_reading_of_the_documents_says(tmp_path: Path) -> None:
    """Random Ingresses, one after the other at the same proxy; random requests."""
    seed = int(os.environ.get("KUBARIUM_SEED", "7"))
    draw = random.Random(seed)
    hosts, elements = ("a.com", "x.a.com", "*.a.com", "*.x.a.com", ""), ("a", "b", "ab")
    kinds = ("Prefix", "Prefix", "Exact", "ImplementationSpecific")
    services = [f"s{number}" for number in range(5)]

    def some_path(most: int = 3) -> str:
        found = "".join(f"/{draw.choice(elements)}" for _ in range(draw.randrange(most + 1)))
        return found + draw.choice(("", "/")) or "/"

    async with running(tmp_path) as here:
        for name in services:
            await here.serve(name)
        for round_ in range(4):
            made = []
            for number in range(6):
                rules = [
                    (host, [path(some_path(), draw.choice(services), draw.choice(kinds)) for _ in range(4)])
                    for host in draw.sample(hosts, 2)
                ]
                default = (
                    {"defaultBackend": path("/", draw.choice(services))["backend"]}
                    if draw.random() < 0.2
                    else {}
                )
                annotations = {NGINX + "use-regex": "true"} if draw.random() < 0.3 else {}
                made.append(ingress(f"i{round_}-{number}", *rules, annotations=annotations, **default))
            await here.apply(*made)
            stored = (await here.registry.user.list(INGRESSES)).items
            rules_ = [rule for each in stored for rule in read_ingress(each).rules]
            for _ in range(150):
                host = draw.choice(("a.com", "x.a.com", "y.a.com", "z.x.a.com", "b.com"))
                asked = some_path(4)
                status, said = await here.get(host, asked)
                target = route_slowly(rules_, host, asked)
                expected = (200, target.service) if target else (404, None)
                assert (status, said["from"] if status == 200 else None) == expected, (seed, host, asked)


def _configurations(folder: Path) -> list[Path]:
    return sorted(folder.glob("configuration-*"))


async def _under_load(
    here: Running, disturb: Callable[[], Awaitable[None]], host: str = "a.com"
) -> tuple[int, list[str]]:
    """Ask all the time over kept connections and new ones, in the clear and over TLS, while something is done; return how often, and failures."""
    count, failures, ended = 0, [], asyncio.Event()

    async def ask(*, tls: bool, keeps: bool) -> None:
        nonlocal count
        connector = aiohttp.TCPConnector(limit=1) if keeps else aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            here_too = Running(here.registry, here.controller, here.process, here.config, session, here.log)
            while not ended.is_set():
                try:
                    status, _ = await here_too.get(host, "/", tls=tls)
                except (aiohttp.ClientError, OSError) as error:
                    status = 0
                    failures.append(repr(error))
                if status not in {0, 200}:
                    failures.append(f"HTTP {status}")
                count += 1

    async with asyncio.TaskGroup() as tasks:
        for number in range(6):
            tasks.create_task(ask(tls=number % 2 == 0, keeps=number < 4))
        await disturb()
        ended.set()
    return count, failures


async def test_endpoints_come_and_go_without_a_new_configuration(tmp_path: Path) -> None:
    """While requests are under way, and none of them fails; who has gone gets nothing more."""
    async with running(tmp_path) as here:
        ports = await here.serve("web", count=3)
        annotations = {NGINX + "ssl-redirect": "false"}
        await here.apply(ingress("one", ("a.com", [path("/")]), annotations=annotations))
        before = _configurations(tmp_path)

        async def roll() -> None:
            for turn in range(6):
                index = turn % 3
                await here.registry.user.delete(ENDPOINT_SLICES, f"web-{index}", namespace="shop")
                await until(lambda: len(here.controller._watched.slices_of("shop", "web")) == 2)
                await here.settled()
                await here.registry.given(ENDPOINT_SLICES, here.slice_of("web", ports[index], str(index)))
                await until(lambda: len(here.controller._watched.slices_of("shop", "web")) == 3)
                await here.settled()

        count, failures = await _under_load(here, roll)
        assert failures == []
        assert count > 50
        assert _configurations(tmp_path) == before
        for index in range(3):
            await here.registry.user.delete(ENDPOINT_SLICES, f"web-{index}", namespace="shop")
        await until(lambda: not here.controller._watched.slices_of("shop", "web"))
        await here.settled()
        assert (await here.get("a.com"))[0] == 503


async def test_a_new_configuration_drops_no_request(tmp_path: Path) -> None:
    """Certificates and rules change while kept connections are used, and a slow answer is still given."""
    async with running(tmp_path, (SECRETS, tls_secret(PAIRS["a.com"], "a"))) as here:
        await here.serve("web", count=2)
        tls = [{"hosts": ["a.com"], "secretName": "a"}]
        annotations = {NGINX + "ssl-redirect": "false"}
        await here.apply(ingress("one", ("a.com", [path("/")]), tls=tls, annotations=annotations))
        slow = asyncio.create_task(here.get("a.com", "/?slow=1.5"))

        async def reload() -> None:
            for _ in range(5):
                data = tls_secret(certificate("a.com")).data
                revision = here.controller._watched.secrets.revision
                await here.registry.user.patch(SECRETS, "a", {"data": data}, namespace="shop")
                await until(lambda seen=revision: here.controller._watched.secrets.revision > seen)
                await here.settled()

        count, failures = await _under_load(here, reload)
        assert failures == []
        assert count > 50
        assert (await slow)[0] == 200
        assert here.controller._reloads.value() >= 6


async def test_what_the_proxy_refuses_is_one_authors_matter(tmp_path: Path) -> None:
    """The others are followed, then and later; the author sees why, and is followed again after a change."""
    async with running(tmp_path) as here:
        await here.serve("web")
        annotations = {NGINX + "use-regex": "true"}
        bad = ingress("bad", ("b.com", [path("/(", kind="ImplementationSpecific")]), annotations=annotations)
        await here.apply(bad, ingress("good", ("a.com", [path("/")])))
        assert (await here.get("a.com"))[0] == 200
        assert (await here.get("b.com"))[0] == 404

        async def told() -> Any:
            events = (await here.registry.user.list(EVENTS)).items
            return next((each for each in events if each.reason == "Rejected"), None)

        event = await until(told)
        assert (event.involvedObject.kind, event.involvedObject.name) == ("Ingress", "bad")
        assert "the proxy refuses it" in event.message
        await here.apply(ingress("later", ("c.com", [path("/")])))
        assert (await here.get("c.com"))[0] == 200
        paths = ingress("bad", ("b.com", [path("/x.", kind="ImplementationSpecific")])).spec.rules
        await here.registry.user.patch(INGRESSES, "bad", {"spec": {"rules": paths}}, namespace="shop")

        async def follows() -> bool:
            return (await here.get("b.com", "/xy"))[0] == 200

        await until(follows)


async def test_status_and_events_are_the_leaders(tmp_path: Path) -> None:
    """The addresses of the Service that the proxy is published by; what is wrong is told once."""
    flags = {"publish_service": "shop/web", "lease": "shop/edge"}
    async with running(tmp_path, **flags) as here:
        await here.serve("web")
        await here.apply(ingress("one", ("a.com", [path("/"), path("/x", "none")])))

        async def addresses() -> list[str]:
            one = await here.registry.user.get(INGRESSES, "one", namespace="shop")
            status = one.status.loadBalancer
            return [each.ip for each in status.ingress] if status else []

        own = await here.registry.user.get(SERVICES, "web", namespace="shop")
        assert await until(addresses) == [own.spec.clusterIP]

        async def reasons() -> set[str]:
            return names_of((await here.registry.user.list(EVENTS)).items)

        async def is_told() -> bool:
            return "NoBackend" in await reasons()

        await until(is_told, what="the event")


async def test_settings_of_a_class_are_followed(tmp_path: Path) -> None:
    """From the ConfigMap that a class comes to name; as it changes, and no longer once it is gone."""
    async with running(tmp_path, publish_service="shop/web") as here:
        await here.serve("web")
        await here.apply(ingress("one", ("a.com", [path("/")])))
        user = here.registry.user

        async def posts(size: int) -> int:
            return (await here.get("a.com", "/", method="POST", data=b"x" * size))[0]

        async def is_refused(size: int) -> bool:
            return await posts(size) == 413

        assert await posts(2000) == 200
        own = ConfigMap(metadata=meta("settings", "shop"), data={"proxy-body-size": "1k"})
        await here.registry.given(CONFIG_MAPS, own)
        parameters = {"parameters": settings_of(namespace="shop")}
        await user.patch(INGRESS_CLASSES, "edge", {"spec": parameters})
        await until(lambda: is_refused(2000))
        assert await posts(1000) == 200
        await user.patch(CONFIG_MAPS, "settings", {"data": {"proxy-body-size": "500"}}, namespace="shop")
        await until(lambda: is_refused(1000))
        await user.delete(CONFIG_MAPS, "settings", namespace="shop")

        async def is_taken() -> bool:
            return await posts(2000) == 200

        await until(is_taken)

        async def said() -> list[str]:
            events = (await user.list(EVENTS)).items
            return [each.message or "" for each in events if each.reason == "UnsupportedParameters"]

        await until(said)
        assert all("there is no ConfigMap shop/settings" in each for each in await said())


async def test_without_its_proxy_the_controller_ends(tmp_path: Path) -> None:
    """So that its container is started anew."""
    async with running(tmp_path) as here:
        process = here.controller._haproxy._process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        await until(lambda: here.failures)
        assert isinstance(here.failures[0], ExceptionGroup)
        assert here.failures[0].subgroup(ProxyError) is not None


def test_endpoints_are_on_this_machine() -> None:
    """What the other tests stand on."""
    assert not own_address().startswith("127.")

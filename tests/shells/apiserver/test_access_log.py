"""The access log: a line for each request, at both doors, only where it is asked for."""

from __future__ import annotations

import io
import re
import ssl
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from kubarium.identity.pki import Pki
from machinery.client.api import Api
from machinery.model import resources as kinds
from machinery.model.errors import ApiError, Forbidden, NotFound
from machinery.model.requests import Selection
from machinery.process.logging import Log
from tests.support.apiserver import Served, serving
from tests.support.client_doors import config_map
from tests.support.waiting import until

_FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')


def lines(stream: io.StringIO, door: str) -> list[dict[str, str]]:
    """Return the lines of a door, as they were written."""
    read = [dict(_FIELD.findall(line)) for line in stream.getvalue().splitlines()]
    return [line for line in read if line["event"] == "request" and line["door"] == door]


async def refused(error: type[ApiError], work: Callable[[], Any]) -> None:
    with pytest.raises(error):
        await work()


@pytest.mark.parametrize("transport", ["grpc", "rest"])
async def test_each_request_has_a_line(pki: Pki, transport: str) -> None:
    """With verb, path, code, user, latency and user agent, whatever came of it; a watch when it ends."""
    stream = io.StringIO()
    async with serving(pki, log=Log("apiserver", "info", stream), access_log=True) as served:
        api, nobody = served.connect(transport), served.connect(transport, "nobody")
        await use(api)
        await refused(Forbidden, lambda: nobody.list(kinds.SECRETS, Selection("default")))
        await api.aclose()
        await nobody.aclose()
        await until(lambda: any(line["verb"] == "watch" for line in lines(stream, transport)))
        found = lines(stream, transport)
    maps = "/api/v1/namespaces/default/configmaps"
    assert {(line["verb"], line["path"], line["code"], line["user"]) for line in found} >= {
        ("create", maps, "201" if transport == "rest" else "200", "kubernetes-admin"),
        ("get", f"{maps}/mine", "200", "kubernetes-admin"),
        ("get", f"{maps}/none", "404", "kubernetes-admin"),
        ("watch", maps, "200", "kubernetes-admin"),
        ("list", "/api/v1/namespaces/default/secrets", "403", "nobody"),
        ("list", "/apis/apps/v1/deployments", "200", "kubernetes-admin"),
    }
    assert all(float(line["latency_ms"]) > 0 and line["agent"] for line in found)


async def use(api: Api) -> None:
    await api.create(kinds.CONFIG_MAPS, config_map("mine"))
    await api.get(kinds.CONFIG_MAPS, "mine", namespace="default")
    await refused(NotFound, lambda: api.get(kinds.CONFIG_MAPS, "none", namespace="default"))
    await api.list(kinds.DEPLOYMENTS)
    async for _ in api.watch(kinds.CONFIG_MAPS, Selection("default"), resource_version="0"):
        break


async def test_what_anybody_sends_stays_on_one_line(pki: Pki) -> None:
    """Without a certificate, on any path, with any user agent; the query is left out."""
    stream = io.StringIO()
    async with serving(pki, log=Log("apiserver", "info", stream), access_log=True) as served:
        await ask(served, "/a%0Ab?token=secret", 'x" code=200 evil="')
        await ask(served, "/api/v1/pods?watch=maybe", "")
    first, second = lines(stream, "rest")
    assert (first["verb"], first["path"], first["user"]) == ("get", "/a%0Ab", "system:anonymous")
    assert first["code"] in {"403", "404"}
    assert "secret" not in stream.getvalue()
    assert first["agent"] == r'"x\" code=200 evil=\""'
    assert (second["path"], second["agent"]) == ("/api/v1/pods", '""')


async def ask(served: Served, path: str, agent: str) -> None:
    context = ssl.create_default_context(cafile=str(served.pki.certificate("ca")))
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(
        f"https://{served.config.rest_listen[0]}", connector=connector
    ) as session:
        await (await session.get(path, headers={"User-Agent": agent})).read()


async def test_nothing_is_logged_unless_it_is_asked_for(pki: Pki) -> None:
    """The default is silence, also at level info."""
    stream = io.StringIO()
    async with serving(pki, log=Log("apiserver", "info", stream)) as served:
        for transport in ("grpc", "rest"):
            api = served.connect(transport)
            await api.list(kinds.DEPLOYMENTS)
            await api.aclose()
    assert lines(stream, "rest") == lines(stream, "grpc") == []

"""The audit log of both doors, into a file and to a server."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from apiserver.audit.log_file import AuditLogFile, Rotation
from apiserver.audit.webhook import AuditWebhook, Batches
from apiserver.remotes import RemoteServer
from kubarium.identity.pki import Pki
from machinery.client.transport import ApiRequest, One
from machinery.model import resources as kinds
from machinery.model.errors import AlreadyExists, ApiError, Forbidden, NotFound
from machinery.model.k8s.core_v1 import ConfigMap, Secret
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.log import SILENT
from machinery.model.requests import Selection
from machinery.process.clock import WALL
from machinery.process.metrics import Metrics
from tests.support.apiserver import Served, serving
from tests.support.rest_door import Client
from tests.support.waiting import until
from tests.support.web_server import web_server

RULES = (
    {"level": "None", "users": ["system:apiserver"]},
    {"level": "Metadata", "resources": [{"group": "", "resources": ["secrets"]}]},
    {"level": "None", "nonResourceURLs": ["/healthz*"]},
    {"level": "RequestResponse", "resources": [{"group": "", "resources": ["configmaps"]}]},
    {"level": "Metadata"},
)


def policy(folder: Path, *rules: Any, **fields: Any) -> str:
    """Write a policy."""
    path = folder / "policy.yaml"
    document = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": list(rules or RULES), **fields}
    path.write_text(yaml.safe_dump(document))
    return str(path)


def events(path: Path) -> list[dict[str, Any]]:
    """Read what was written."""
    return [json.loads(line) for line in path.read_text().splitlines()]


@asynccontextmanager
async def audited(pki: Pki, folder: Path, **fields: Any) -> AsyncIterator[tuple[Served, Path]]:
    """Serve with an audit log."""
    path = folder / "audit.log"
    async with serving(pki, audit_policy_file=policy(folder), audit_log_path=str(path), **fields) as served:
        yield served, path


async def refused(error: type[ApiError], work: Callable[[], Any]) -> None:
    with pytest.raises(error):
        await work()


def config_map(name: str, **data: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data=data)


@pytest.mark.parametrize("transport", ["grpc", "rest"])
async def test_both_doors_write_what_the_policy_says(pki: Pki, tmp_path: Path, transport: str) -> None:
    """Every stage of every request, with objects where the level has them, and no secret where it has not."""
    async with audited(pki, tmp_path) as (served, path):
        api, nobody = served.connect(transport), served.connect(transport, "nobody")
        await api.create(kinds.CONFIG_MAPS, config_map("a", key="public"))
        await refused(AlreadyExists, lambda: api.create(kinds.CONFIG_MAPS, config_map("a")))
        secret = Secret(metadata=ObjectMeta(name="s", namespace="default"), stringData={"k": "sesame"})
        await api.create(kinds.SECRETS, secret)
        await api.get(kinds.SECRETS, "s", namespace="default")
        await refused(NotFound, lambda: api.get(kinds.CONFIG_MAPS, "gone", namespace="default"))
        await refused(Forbidden, lambda: nobody.list(kinds.SECRETS, Selection("default")))
        await api.list(kinds.CONFIG_MAPS, Selection("default"))
        await api.aclose()
        await nobody.aclose()
    text = path.read_text()
    assert "public" in text
    assert "sesame" not in text
    assert "c2VzYW1l" not in text
    found = [
        each
        for each in events(path)
        if each.get("objectRef", {}).get("resource") in {"configmaps", "secrets"}
    ]
    stages = [
        (each["verb"], each["stage"], each["level"], each.get("responseStatus", {}).get("code"))
        for each in found
    ]
    meta, whole = "Metadata", "RequestResponse"
    assert stages == [
        stage
        for verb, level, code in (
            ("create", whole, 201),
            ("create", whole, 409),
            ("create", meta, 201),
            ("get", meta, 200),
            ("get", whole, 404),
            ("list", meta, 403),
            ("list", whole, 200),
        )
        for stage in ((verb, "RequestReceived", level, None), (verb, "ResponseComplete", level, code))
    ]
    created, listed = found[1], found[-1]
    assert created["requestObject"]["data"] == created["responseObject"]["data"] == {"key": "public"}
    assert created["objectRef"]["name"] == "a"
    assert created["user"]["username"] == "kubernetes-admin"
    assert created["annotations"]["authorization.k8s.io/decision"] == "allow"
    assert created["requestURI"].partition("?")[0] == "/api/v1/namespaces/default/configmaps"
    assert created["sourceIPs"] == ["127.0.0.1"]
    assert [item["metadata"]["name"] for item in listed["responseObject"]["items"]] == ["a"]
    denied = next(each for each in found if each["user"]["username"] == "nobody" and "annotations" in each)
    assert denied["annotations"]["authorization.k8s.io/decision"] == "forbid"
    assert denied["responseStatus"]["reason"] == "Forbidden"
    assert all(len([each for each in found if each["auditID"] == one["auditID"]]) == 2 for one in found)


@pytest.mark.parametrize("transport", ["grpc", "rest"])
async def test_a_watch_has_an_event_when_it_begins_and_when_it_ends(
    pki: Pki, tmp_path: Path, transport: str
) -> None:
    """It is a request that lasts."""
    async with audited(pki, tmp_path) as (served, path):
        api = served.connect(transport)
        watch = api.watch(kinds.CONFIG_MAPS, resource_version="")
        await anext(watch)
        await watch.aclose()  # type: ignore[attr-defined]  # it is a generator

        def stages() -> list[str]:
            return (
                [each["stage"] for each in events(path) if each["verb"] == "watch"] if path.exists() else []
            )

        wanted = ["RequestReceived", "ResponseStarted", "ResponseComplete"]
        await until(lambda: stages() == wanted)
        await api.aclose()


async def test_impersonation_failed_logins_and_pages_are_told(pki: Pki, tmp_path: Path) -> None:
    """Who asked, and as whom; a token that proves nothing has a failure without a user."""
    async with audited(pki, tmp_path) as (served, path):
        context = ssl.create_default_context(cafile=str(pki.certificate("ca")))
        url = f"https://{served.config.rest_listen[0]}"
        async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(ssl=context)) as nobody:
            for token_path, status in (("/api", 401), ("/healthz", 401)):
                async with nobody.get(token_path, headers={"Authorization": "Bearer x"}) as answer:
                    assert answer.status == status
            async with nobody.get("/healthz") as answer:
                assert answer.status == 200
            forwarded = {"X-Forwarded-For": "192.0.2.7, nonsense", "Audit-Id": "mine"}
            async with nobody.get("/version?a=b", headers=forwarded) as answer:
                assert (answer.status, answer.headers["Audit-Id"]) == (200, "mine")
        context.load_cert_chain(pki.certificate("admin"), pki.key("admin"))
        async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(ssl=context)) as admin:
            maps = "/api/v1/namespaces/default/configmaps"
            async with admin.get(maps, headers={"Impersonate-User": "mallory"}) as answer:
                assert answer.status == 403
    found = events(path)
    [failed] = [each for each in found if each.get("responseStatus", {}).get("code") == 401]
    assert (failed["stage"], failed["user"], failed["requestURI"]) == (
        "ResponseStarted",
        {"username": ""},
        "/api",
    )
    assert not [each for each in found if each["requestURI"] == "/healthz"]
    [page] = [each for each in found if each["auditID"] == "mine" and each["stage"] == "ResponseComplete"]
    assert (page["requestURI"], page["user"]["username"]) == ("/version?a=b", "system:anonymous")
    assert page["sourceIPs"] == ["192.0.2.7", "127.0.0.1"]
    [acted] = [each for each in found if "impersonatedUser" in each]
    assert (acted["user"]["username"], acted["impersonatedUser"]["username"]) == (
        "kubernetes-admin",
        "mallory",
    )


async def test_each_of_several_creates_is_told(pki: Pki, tmp_path: Path) -> None:
    """With what became of it."""
    async with audited(pki, tmp_path) as (served, path):
        api = served.connect("grpc")
        await api.create(kinds.CONFIG_MAPS, config_map("b"))
        wanted = [(config_map("a", key="1"), ()), (config_map("b"), ())]
        made = await api.create_each(kinds.CONFIG_MAPS, wanted)
        assert [isinstance(each, Exception) for each in made] == [False, True]
        await api.aclose()
    complete = [
        each for each in events(path) if each["stage"] == "ResponseComplete" and each["verb"] == "create"
    ]
    told = [(each["objectRef"]["name"], each["responseStatus"]["code"]) for each in complete]
    assert told == [("b", 201), ("a", 201), ("b", 409)]
    assert complete[1]["responseObject"]["data"] == {"key": "1"}


async def test_each_of_several_bindings_is_told(pki: Pki, tmp_path: Path) -> None:
    """By the name of its pod."""
    async with audited(pki, tmp_path) as (served, path):
        api = served.connect("grpc")
        body = b'{"target": {"kind": "Node", "name": "n"}}'
        each = tuple(One("default", body, (), name) for name in ("gone", "away"))
        await api.transport.page(ApiRequest("CreateEach", kinds.PODS, subresource="binding", each=each), 5)
        await api.aclose()
    told = [
        (each["objectRef"]["name"], each["objectRef"]["subresource"], each["responseStatus"]["code"])
        for each in events(path)
        if each["stage"] == "ResponseComplete" and each["verb"] == "create"
    ]
    assert told == [("gone", "binding", 404), ("away", "binding", 404)]


async def test_each_of_several_changes_is_told(pki: Pki, tmp_path: Path) -> None:
    """By the name of its object, with the patch."""
    async with audited(pki, tmp_path) as (served, path):
        api = served.connect("grpc")
        await api.create(kinds.CONFIG_MAPS, config_map("a", key="1"))
        patches = tuple(One("default", b'{"data": {"key": "2"}}', (), name) for name in ("gone", "a"))
        await api.transport.page(ApiRequest("PatchEach", kinds.CONFIG_MAPS, each=patches), 5)
        await api.aclose()
    complete = [
        each for each in events(path) if each["stage"] == "ResponseComplete" and each["verb"] == "patch"
    ]
    told = [(each["objectRef"]["name"], each["responseStatus"]["code"]) for each in complete]
    assert told == [("gone", 404), ("a", 200)]
    assert complete[1]["requestObject"] == {"data": {"key": "2"}}
    assert complete[1]["responseObject"]["data"] == {"key": "2"}


async def test_a_large_file_is_left_and_old_ones_go(tmp_path: Path) -> None:
    """No line is lost or divided on the way."""
    path = tmp_path / "logs" / "audit.log"
    rotation = Rotation(largest_bytes=100, most=2, compresses=True)
    log = AuditLogFile(str(path), rotation, WALL, Metrics(), SILENT)
    running = asyncio.ensure_future(log.run())
    for number in range(3):
        log.put(b"%d" % number * 60)
        await until(lambda number=number: path.exists() and path.read_bytes() == b"%d" % number * 60 + b"\n")
    running.cancel()
    await asyncio.wait([running])
    log.put(b"last")
    await log.aclose()
    assert path.read_bytes() == b"2" * 60 + b"\nlast\n"
    assert path.stat().st_mode & 0o777 == 0o600
    left = sorted(each for each in path.parent.iterdir() if each != path)
    assert [gzip.decompress(each.read_bytes())[:1] for each in left] == [b"0", b"1"]


async def test_a_server_gets_batches_and_nobody_waits_for_it(pki: Pki, tmp_path: Path) -> None:
    """What it does not take is posted again; what does not fit is counted."""
    async with web_server(pki) as server:
        answers = [503, 200, 200, 200]
        server.answer = lambda _path, _events: answers.pop(0)
        remote = RemoteServer.of_kubeconfig(server.kubeconfig(tmp_path / "audit.yaml", pki))
        metrics = Metrics()
        batches = Batches(size=2, wait_s=0.05, buffer=5, first_pause_s=0.01)
        hook = AuditWebhook(remote, batches, WALL, metrics, SILENT)
        for number in range(7):
            hook.put(b"%d" % number)
        running = asyncio.ensure_future(hook.run())
        await until(lambda: not answers)
        running.cancel()
        await asyncio.wait([running])
        await hook.aclose()
    lists = [asked["items"] for asked in server.asked]
    assert lists == [[0, 1], [0, 1], [2, 3], [4]]
    assert server.asked[0]["kind"] == "EventList"
    assert 'apiserver_audit_error_total{plugin="webhook"} 2' in metrics.render()


async def test_without_a_policy_nothing_is_written(client: Client) -> None:
    """The doors are those that know of no audit log."""
    async with client("admin").get("/version") as answer:
        assert answer.headers["Audit-Id"]

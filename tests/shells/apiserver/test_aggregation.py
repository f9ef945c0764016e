"""An extension server behind an APIService: a process of its own with TLS, that delegates who asks and what they may do.

https://kubernetes.io/docs/concepts/extend-kubernetes/api-extension/apiserver-aggregation/
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from apiserver.core.values import Json
from kubarium.core.kubeconfig import kubeconfig
from kubarium.identity.pki import Pki
from tests.support.apiserver import Served, serving
from tests.support.extension import (
    NAME,
    ExtensionServer,
    api_service,
    extension_server,
    front_proxy,
    lead_to,
    service,
)
from tests.support.extension_server import GROUP, ROOT, VERSION
from tests.support.kubectl import Kubectl
from tests.support.raw_web_server import raw_web_server
from tests.support.requirements import need
from tests.support.waiting import until

REGISTRATION = "/apis/apiregistration.k8s.io/v1/apiservices"
FLUNDERS = f"{ROOT}/namespaces/default/flunders"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture
async def served(pki: Pki) -> AsyncIterator[Served]:
    """An apiserver that passes requests on under its own certificate."""
    async with serving(pki, **front_proxy(pki)) as running:
        yield running


@pytest.fixture
def extension(served: Served) -> Iterator[ExtensionServer]:
    """An extension server that is not started yet."""
    with extension_server(f"https://{served.config.rest_listen[0]}", served.pki) as server:
        yield server


@asynccontextmanager
async def session(served: Served, identity: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Be connected as somebody."""
    context = ssl.create_default_context(cafile=str(served.pki.certificate("ca")))
    context.load_cert_chain(served.pki.certificate(identity), served.pki.key(identity))
    async with aiohttp.ClientSession(
        f"https://{served.config.rest_listen[0]}",
        connector=aiohttp.TCPConnector(ssl=context),
        timeout=aiohttp.ClientTimeout(total=120),
    ) as connected:
        yield connected


async def post(admin: aiohttp.ClientSession, path: str, obj: Any) -> Json:
    """Create an object."""
    async with admin.post(path, json=obj) as answer:
        made: Json = await answer.json()
        assert answer.status == 201, made
        return made


async def get(admin: aiohttp.ClientSession, path: str, **headers: str) -> tuple[int, str]:
    """Return the status and the text of an answer."""
    async with admin.get(path, headers=headers) as answer:
        return answer.status, await answer.text()


async def condition(admin: aiohttp.ClientSession, name: str = NAME) -> Json:
    """Return the condition Available of an APIService."""
    _, text = await get(admin, f"{REGISTRATION}/{name}")
    found = (json.loads(text).get("status") or {}).get("conditions") or [{}]
    return dict(found[0])


async def reaches(admin: aiohttp.ClientSession, reason: str) -> Json:
    """Return the condition, once it has a reason."""

    async def look() -> Json | None:
        found = await condition(admin)
        return found if found.get("reason") == reason else None

    return await until(look, what=reason) or {}


def document(pki: Pki, **spec: Any) -> Json:
    """Return the APIService as it is posted."""
    made = api_service(pki, **spec)
    return {"metadata": {"name": made.metadata.name}, "spec": made.spec}


async def registered(served: Served, extension: ExtensionServer, admin: aiohttp.ClientSession) -> None:
    """Have the server started, and led to."""
    await allow(admin)
    await asyncio.to_thread(extension.start)
    await post(admin, "/api/v1/namespaces/default/services", service())
    await lead_to(served, extension.port)
    await post(admin, REGISTRATION, document(served.pki))
    await reaches(admin, "Passed")


async def allow(admin: aiohttp.ClientSession) -> None:
    """Grant the server what it needs: to ask who somebody is and what they may do, and to read whom to believe."""
    user = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "wardle"}
    reference = {"apiGroup": "rbac.authorization.k8s.io"}
    delegator = {**reference, "kind": "ClusterRole", "name": "system:auth-delegator"}
    reader = {**reference, "kind": "Role", "name": "extension-apiserver-authentication-reader"}
    await post(
        admin,
        f"{RBAC}/clusterrolebindings",
        {"metadata": {"name": "wardle"}, "roleRef": delegator, "subjects": [user]},
    )
    await post(
        admin,
        f"{RBAC}/namespaces/kube-system/rolebindings",
        {"metadata": {"name": "wardle"}, "roleRef": reader, "subjects": [user]},
    )
    place = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"

    async def is_told() -> bool:
        return "requestheader-client-ca-file" in (await get(admin, place))[1]

    await until(is_told)


async def test_a_server_comes_goes_and_comes_back(served: Served, extension: ExtensionServer) -> None:
    """What is in the way stands in the condition, step by step; requests are answered with 503 meanwhile."""
    pki = served.pki
    async with session(served, "admin") as admin:
        await allow(admin)
        await post(admin, REGISTRATION, document(pki))
        assert (await reaches(admin, "ServiceNotFound"))[
            "message"
        ] == 'service/wardle in "default" is not present'
        assert await get(admin, FLUNDERS) == (503, "service unavailable\n")
        await post(admin, "/api/v1/namespaces/default/services", service(ports=[{"name": "api", "port": 80}]))
        assert (await reaches(admin, "ServicePortError"))["message"] == (
            'service/wardle in "default" is not listening on port 443'
        )
        patch = {"spec": {"ports": [{"name": "api", "port": 443}]}}
        headers = {"Content-Type": "application/merge-patch+json"}
        async with admin.patch(
            "/api/v1/namespaces/default/services/wardle", json=patch, headers=headers
        ) as answer:
            assert answer.status == 200, await answer.text()
        assert (await reaches(admin, "EndpointsNotFound"))["message"] == (
            'cannot find endpointslices for service/wardle in "default"'
        )

        await asyncio.to_thread(extension.start)
        await lead_to(served, extension.port)
        passed = await reaches(admin, "Passed")
        assert (passed["status"], passed["message"]) == ("True", "all checks passed")
        await post(admin, FLUNDERS, {"metadata": {"name": "a"}})
        metrics = served.process.metrics.render()
        assert f'aggregator_unavailable_apiservice{{name="{NAME}"}} 0' in metrics
        assert (
            f'aggregator_unavailable_apiservice_total{{name="{NAME}",reason="ServiceNotFound"}} 1' in metrics
        )

        extension.kill()
        status, text = await get(admin, FLUNDERS)
        assert status == 503
        assert text.startswith(
            "error trying to reach service: dial tcp wardle.default.svc:443: connect: connection refused"
        )
        served.core.aggregation.upkeep.look_now(NAME)
        failed = await reaches(admin, "FailedDiscoveryCheck")
        assert failed["status"] == "False"
        assert "connection refused" in failed["message"]
        assert await get(admin, FLUNDERS) == (503, "service unavailable\n")
        assert await get(admin, "/api/v1/namespaces/default/configmaps") != (503, "")
        assert [each["freshness"] for each in await versions(admin)] == ["Stale"]

        await asyncio.to_thread(extension.start)
        back = await reaches(admin, "Passed")
        assert back["status"] == "True"
        assert (await get(admin, FLUNDERS))[0] == 200
        assert [each["freshness"] for each in await versions(admin)] == ["Current"]

        async with admin.delete(f"{REGISTRATION}/{NAME}") as answer:
            assert answer.status == 200
        await until(lambda: not served.core.catalogue.elsewhere)
        assert (await get(admin, FLUNDERS))[0] == 404
        assert (await get(admin, f"/apis/{GROUP}"))[0] == 404


async def versions(admin: aiohttp.ClientSession) -> list[Json]:
    """Return the versions of the group, as all of discovery at once shows them."""
    _, text = await get(admin, "/apis", Accept=AGGREGATED)
    items = json.loads(text)["items"]
    return next((item["versions"] for item in items if item["metadata"]["name"] == GROUP), [])


async def test_requests_go_there_and_answers_come_back(served: Served, extension: ExtensionServer) -> None:
    """Any verb, a watch, an upgrade, a large body; who asks is told by the apiserver alone."""
    async with session(served, "admin") as admin, session(served, "nobody") as nobody:
        await registered(served, extension, admin)
        made = await post(admin, FLUNDERS, {"metadata": {"name": "a"}, "spec": {"reference": "x" * 900_000}})
        assert made["metadata"]["namespace"] == "default"
        watch = await admin.get(
            f"{ROOT}/flunders?watch=true&resourceVersion={made['metadata']['resourceVersion']}"
        )
        await post(admin, FLUNDERS, {"metadata": {"name": "b"}})
        event = json.loads(await asyncio.wait_for(watch.content.readline(), 60))
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "b")
        watch.close()
        async with admin.ws_connect(f"{FLUNDERS}/a/echo") as socket:
            await socket.send_str("hello")
            assert (await socket.receive_str()) == "echo hello"
        async with admin.delete(f"{FLUNDERS}/a") as answer:
            assert answer.status == 200
        async with admin.get(f"{FLUNDERS}/a") as answer:
            assert answer.status == 404
            assert (await answer.json())["reason"] == "NotFound"

        forged = {"X-Remote-User": "root", "X-Remote-Group": "system:masters", "X-Remote-Extra-Scopes": "all",
                  "Authorization": "Bearer secret", "Audit-Id": "audit-1", "X-Mine": "stays"}  # fmt: skip
        status, text = await get(admin, f"{ROOT}/whoami", **forged)
        said = json.loads(text)
        assert status == 200
        assert said["user"] == "kubernetes-admin"
        assert said["groups"] == ["system:masters", "system:authenticated"]
        assert said["extra"] == {}
        sent = {name.lower(): value for name, value in said["headers"]}
        assert (sent["host"], sent["audit-id"], sent["x-mine"]) == ("wardle.default.svc", "audit-1", "stays")
        assert "authorization" not in sent
        rule = {"verbs": ["list"], "apiGroups": [GROUP], "resources": ["whoami"]}
        await post(admin, f"{RBAC}/clusterroles", {"metadata": {"name": "whoami"}, "rules": [rule]})
        binding = {
            "metadata": {"name": "whoami"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "whoami"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "devs"}],
        }
        await post(admin, f"{RBAC}/clusterrolebindings", binding)
        acting = {"Impersonate-User": "jane", "Impersonate-Group": "devs", "Impersonate-Extra-Scopes": "view"}
        said = json.loads((await get(admin, f"{ROOT}/whoami", **acting))[1])
        assert (said["user"], said["groups"], said["extra"]) == (
            "jane",
            ["devs", "system:authenticated"],
            {"scopes": ["view"]},
        )

        status, text = await get(nobody, FLUNDERS)  # it is the apiserver that refuses, in its own words
        assert status == 403
        assert (
            f'cannot list resource \\"flunders\\" in API group \\"{GROUP}\\" in the namespace \\"default\\"'
            in text
        )


@asynccontextmanager
async def audited(pki: Pki, folder: Path) -> AsyncIterator[tuple[Served, Path]]:
    """Serve with an audit log in which what is passed on is, at the highest level."""
    policy, log = folder / "policy.yaml", folder / "audit.log"
    rules = [{"level": "RequestResponse", "resources": [{"group": GROUP}]}, {"level": "None"}]
    policy.write_text(json.dumps({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules}))
    files = {"audit_policy_file": str(policy), "audit_log_path": str(log)}
    async with serving(pki, **front_proxy(pki), **files) as served:
        yield served, log


def noted(log: Path) -> list[tuple[Any, ...]]:
    """Return what the audit log says of each request, in order."""
    found = [json.loads(line) for line in log.read_text().splitlines()]
    return [
        (
            each["user"]["username"],
            each["verb"],
            each["objectRef"].get("name", ""),
            each["objectRef"].get("subresource", ""),
            each["stage"],
            each.get("responseStatus", {}).get("code"),
        )
        for each in found
    ]


async def test_what_is_passed_on_is_in_the_audit_log(pki: Pki, tmp_path: Path) -> None:
    """Who asked for what, and the answer's code, as of any request; objects are not read here, at whatever level."""
    admin, received, complete = "kubernetes-admin", "RequestReceived", "ResponseComplete"
    async with audited(pki, tmp_path) as (served, log), session(served, "admin") as asking:
        with extension_server(f"https://{served.config.rest_listen[0]}", pki) as extension:
            await registered(served, extension, asking)
            await post(asking, FLUNDERS, {"metadata": {"name": "a"}, "spec": {"reference": "sesame"}})
            assert (await get(asking, f"{FLUNDERS}/gone"))[0] == 404
            async with session(served, "nobody") as nobody:
                assert (await get(nobody, FLUNDERS))[0] == 403
            watch = await asking.get(f"{ROOT}/flunders?watch=true&resourceVersion=0")
            watch.close()
            async with asking.ws_connect(f"{FLUNDERS}/a/echo") as socket:
                await socket.send_str("hello")
                await socket.receive_str()
            async with asking.head(FLUNDERS) as answer:
                assert answer.status == 200
                assert answer.headers["X-Kubernetes-Pf-Flowschema-Uid"]
            expected = [
                (admin, "create", "", "", received, None),
                (admin, "create", "", "", complete, 201),
                (admin, "get", "gone", "", received, None),
                (admin, "get", "gone", "", complete, 404),
                ("nobody", "list", "", "", received, None),
                ("nobody", "list", "", "", complete, 403),
                (admin, "watch", "", "", received, None),
                (admin, "watch", "", "", "ResponseStarted", 200),
                (admin, "watch", "", "", complete, 200),
                (admin, "get", "a", "echo", received, None),
                (admin, "get", "a", "echo", complete, 101),
                (admin, "list", "", "", received, None),
                (admin, "list", "", "", complete, 200),
            ]
            await until(lambda: sorted(map(str, noted(log))) == sorted(map(str, expected)))
    text = log.read_text()
    assert "sesame" not in text
    events = [json.loads(line) for line in text.splitlines()]
    assert {each["level"] for each in events} == {"RequestResponse"}
    assert {each["objectRef"]["apiVersion"] for each in events} == {VERSION}
    missed = next(each for each in events if each.get("responseStatus", {}).get("code") == 404)
    assert missed["responseStatus"] == {"metadata": {}, "code": 404}


async def _spdy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer that all is well, except for who wants SPDY: they hear what they say."""
    head = await reader.readuntil(b"\r\n\r\n")
    if b"upgrade: spdy/3.1" not in head.lower():
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()
        return
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
        b"X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n"
    )
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def test_a_connection_becomes_spdy_through_the_apiserver(pki: Pki, tmp_path: Path) -> None:
    """Bytes pass both ways as they are; the audit log has its beginning and its end."""
    said = bytes(range(256)) * 1024
    async with (
        audited(pki, tmp_path) as (served, log),
        session(served, "admin") as admin,
        raw_web_server(pki, _spdy, skips_head=False) as url,
    ):
        await post(admin, "/api/v1/namespaces/default/services", service())
        await lead_to(served, int(url.rpartition(":")[2]))
        await post(admin, REGISTRATION, document(pki, caBundle=None, insecureSkipTLSVerify=True))
        await reaches(admin, "Passed")
        context = ssl.create_default_context(cafile=str(pki.certificate("ca")))
        context.load_cert_chain(pki.certificate("admin"), pki.key("admin"))
        host, _, port = served.config.rest_listen[0].rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
        writer.write(
            f"POST {FLUNDERS}/a/exec?command=ls HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\n"
            "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n".encode()
        )
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"v4.channel.k8s.io" in head
        writer.write(said)
        assert await asyncio.wait_for(reader.readexactly(len(said)), 60) == said
        writer.close()
        user, verb = "kubernetes-admin", "create"
        await until(
            lambda: (
                noted(log)
                == [
                    (user, verb, "a", "exec", stage, code)
                    for stage, code in (
                        ("RequestReceived", None),
                        ("ResponseStarted", 101),
                        ("ResponseComplete", 101),
                    )
                ]
            )
        )


async def test_what_a_server_serves_is_discovered(served: Served, extension: ExtensionServer) -> None:
    """In both forms, between the groups that come before and after it by priority; the rest of the lists stays as it was."""
    async with session(served, "admin") as admin:
        _, before = await get(admin, "/apis")
        await registered(served, extension, admin)
        _, text = await get(admin, "/apis")
        groups = [each["name"] for each in json.loads(text)["groups"]]
        *others, last = [each["name"] for each in json.loads(before)["groups"]]
        assert last == "metrics.k8s.io"  # of the least priority
        assert groups == [*others, GROUP, last]
        _, text = await get(admin, f"/apis/{GROUP}")
        assert json.loads(text)["preferredVersion"] == {
            "groupVersion": f"{GROUP}/{VERSION}",
            "version": VERSION,
        }
        (version,) = await versions(admin)
        (resource,) = version["resources"]
        assert (version["freshness"], resource["scope"], resource["shortNames"]) == (
            "Current",
            "Namespaced",
            ["fl"],
        )
        assert resource["responseKind"] == {"group": GROUP, "version": VERSION, "kind": "Flunder"}
        assert [each["subresource"] for each in resource["subresources"]] == ["echo"]
        _, text = await get(admin, ROOT)
        assert json.loads(text)["resources"][0]["name"] == "flunders"


async def test_an_apiservice_comes_before_a_definition(served: Served, extension: ExtensionServer) -> None:
    """The one that is written for the definition is not to be led elsewhere, unless its label is taken away."""
    definition = {
        "metadata": {"name": f"flunders.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": "flunders", "kind": "Flunder"},
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                    },
                }
            ],
        },
    }
    merge = {"Content-Type": "application/merge-patch+json"}
    async with session(served, "admin") as admin:
        await allow(admin)
        await asyncio.to_thread(extension.start)
        await post(admin, "/api/v1/namespaces/default/services", service())
        await lead_to(served, extension.port)
        await post(admin, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
        await reaches(admin, "Local")
        own = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Flunder", "metadata": {"name": "own"}}
        await post(admin, FLUNDERS, own)

        spec = document(served.pki)["spec"]
        async with admin.patch(f"{REGISTRATION}/{NAME}", json={"spec": spec}, headers=merge) as answer:
            assert answer.status == 200

        async def is_local_again() -> bool:
            return "service" not in json.loads((await get(admin, f"{REGISTRATION}/{NAME}"))[1])["spec"]

        await until(is_local_again)
        patch = {"metadata": {"labels": None}, "spec": spec}
        async with admin.patch(f"{REGISTRATION}/{NAME}", json=patch, headers=merge) as answer:
            assert answer.status == 200
        await reaches(admin, "Passed")
        assert json.loads((await get(admin, FLUNDERS))[1])["items"] == []

        async with admin.delete(f"{REGISTRATION}/{NAME}") as answer:
            assert answer.status == 200
        await reaches(admin, "Local")
        (item,) = json.loads((await get(admin, FLUNDERS))[1])["items"]
        assert item["metadata"]["name"] == "own"


async def test_what_a_server_documents_is_merged(served: Served, extension: ExtensionServer) -> None:
    """Into both versions of OpenAPI; their ETags change, and come back when the server is gone."""
    async with session(served, "admin") as admin:

        async def tags() -> list[str]:
            found = []
            for path in ("/openapi/v2", "/openapi/v3"):
                async with admin.get(path) as answer:
                    found.append(answer.headers["ETag"])
            return found

        before = await tags()
        await registered(served, extension, admin)
        after = await tags()
        assert not set(before) & set(after)
        index = json.loads((await get(admin, "/openapi/v3"))[1])["paths"]
        assert index[ROOT.lstrip("/")] == {"serverRelativeURL": f"/openapi/v3{ROOT}?hash=F1"}
        assert "api/v1" in index
        v3 = json.loads((await get(admin, f"/openapi/v3{ROOT}?hash=F1"))[1])
        assert list(v3["components"]["schemas"]) == ["com.example.wardle.v1alpha1.Flunder"]
        v2 = json.loads((await get(admin, "/openapi/v2"))[1])
        assert "com.example.wardle.v1alpha1.Flunder" in v2["definitions"]
        assert f"{ROOT}/flunders" in v2["paths"]
        assert "io.k8s.api.core.v1.Pod" in v2["definitions"]
        binary = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
        async with admin.get("/openapi/v2", headers={"Accept": binary}) as answer:
            assert b"com.example.wardle.v1alpha1.Flunder" in await answer.read()
        async with admin.delete(f"{REGISTRATION}/{NAME}") as answer:
            assert answer.status == 200
        await until(lambda: not served.core.catalogue.elsewhere)
        assert await tags() == before


async def test_kubectl_works_with_what_a_server_serves(
    served: Served, extension: ExtensionServer, tmp_path: Path
) -> None:
    """It waits for the condition, finds the kind by its short name, explains it, and shows the server's own columns."""
    need("kubectl")
    pki = served.pki
    content = kubeconfig(
        "t",
        {"apiserver": f"https://{served.config.rest_listen[0]}"},
        authority=pki.certificate("ca").read_bytes(),
        certificate=pki.certificate("admin").read_bytes(),
        key=pki.key("admin").read_bytes(),
    )
    (tmp_path / "config").write_text(json.dumps(content))
    kubectl = Kubectl(tmp_path / "config")

    async def said(*words: str, stdin: str = "") -> str:
        outcome = await asyncio.to_thread(kubectl.run, f"--cache-dir={tmp_path}/cache", *words, stdin=stdin)
        return (outcome.out + outcome.err).strip()

    async with session(served, "admin") as admin:
        await registered(served, extension, admin)
        assert await said("wait", "--for=condition=Available", f"apiservice/{NAME}") == (
            f"apiservice.apiregistration.k8s.io/{NAME} condition met"
        )
        shown = (await said("get", "apiservices", "v1.apps", NAME, "--no-headers")).splitlines()
        assert [line.split()[:3] for line in shown] == [
            ["v1.apps", "Local", "True"],
            [NAME, "default/wardle", "True"],
        ]
        assert (await said("api-resources", f"--api-group={GROUP}", "--no-headers")).split() == [
            "flunders", "fl", f"{GROUP}/{VERSION}", "true", "Flunder",
        ]  # fmt: skip
        obj = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "Flunder",
            "metadata": {"name": "a"},
            "spec": {"reference": "me"},
        }
        made = await said("create", "-f", "-", stdin=json.dumps(obj))
        assert made == f"flunder.{GROUP}/a created"
        assert (await said("get", "fl")).split() == ["NAME", "REFERENCE", "a", "me"]
        assert "What it stands for." in await said("explain", "flunders.spec")
        assert await said("auth", "can-i", "list", "flunders", "--as=ann") == "no"
        assert (
            await said("delete", "flunders", "--all") == f'flunder.{GROUP} "a" deleted from default namespace'
        )
        extension.kill()
        served.core.aggregation.upkeep.look_now(NAME)
        await reaches(admin, "FailedDiscoveryCheck")
        shown = (await said("get", "apiservice", NAME, "--no-headers")).splitlines()
        assert shown[0].split()[2:4] == ["False", "(FailedDiscoveryCheck)"]
        assert await said("get", "flunders") == (
            "Error from server (ServiceUnavailable): the server is currently unable to handle the request "
            f"(get flunders.{GROUP})"
        )
        assert await said("get", "configmaps") == "No resources found in default namespace."


async def _hang(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await asyncio.get_running_loop().create_future()


async def _nonsense(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 smtp.example.com ESMTP\r\n")
    await writer.drain()


async def _endless_head(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Header: " + b"x" * 8000 + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0)  # where there is room, `drain` lets nobody else work


async def _endless_body(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0)


async def _wrong_status(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


async def _cut_off(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    await writer.drain()


@pytest.mark.parametrize(
    ("serve", "said"),
    [
        (_nonsense, "malformed HTTP response"),
        (_endless_head, "the headers exceed"),
        (_endless_body, "the answer is larger than"),
        (_wrong_status, "bad status from"),
        (_cut_off, "the answer broke off"),
    ],
    ids=["nonsense", "endless head", "endless body", "redirect", "cut off"],
)
async def test_a_server_that_answers_nonsense_is_not_available(
    served: Served, serve: Callable[[Any, Any], Any], said: str
) -> None:
    """Its condition says why, and nobody else notices."""
    async with session(served, "admin") as admin, raw_web_server(served.pki, serve) as url:
        await post(admin, "/api/v1/namespaces/default/services", service())
        await lead_to(served, int(url.rpartition(":")[2]))
        await post(admin, REGISTRATION, document(served.pki))
        assert said in (await reaches(admin, "FailedDiscoveryCheck"))["message"]
        assert (await get(admin, "/api/v1/namespaces/default/services/wardle"))[0] == 200
        assert [each["freshness"] for each in await versions(admin)] == ["Stale"]


async def test_a_certificate_of_another_name_or_authority_is_not_trusted(
    served: Served, extension: ExtensionServer
) -> None:
    """Unless the APIService says that it does not matter."""
    async with session(served, "admin") as admin:
        await registered(served, extension, admin)
        headers = {"Content-Type": "application/merge-patch+json"}
        other = document(served.pki, service={"namespace": "default", "name": "other"})["spec"]["service"]
        await post(admin, "/api/v1/namespaces/default/services", service("other"))
        await lead_to(served, extension.port, "other")
        for spec, code in (
            ({"service": other}, 503),
            ({"caBundle": None, "insecureSkipTLSVerify": True}, 200),
        ):
            async with admin.patch(f"{REGISTRATION}/{NAME}", json={"spec": spec}, headers=headers) as answer:
                assert answer.status == 200, await answer.text()
            await reaches(admin, "Passed")
            status, text = await get(admin, FLUNDERS)
            assert status == code, text
            assert ("failed to verify certificate" in text) is (code == 503)


async def test_a_server_that_hangs_holds_nobody_else(pki: Pki) -> None:
    """Its own requests end in time; the condition says so, and those of others are answered meanwhile."""
    async with (
        serving(pki, **front_proxy(pki), rest_answer_s=3.0) as served,
        session(served, "admin") as admin,
    ):
        with extension_server(f"https://{served.config.rest_listen[0]}", pki) as extension:
            await registered(served, extension, admin)
            extension.freeze()
            hanging = [
                asyncio.ensure_future(get(admin, FLUNDERS)) for _ in range(70)
            ]  # more than there are seats
            assert (await get(admin, "/api/v1/namespaces/default"))[0] == 200
            assert {status for status, _ in await asyncio.gather(*hanging)} == {504}
            served.core.aggregation.upkeep.look_now(NAME)
            assert "context deadline exceeded" in (await reaches(admin, "FailedDiscoveryCheck"))["message"]


async def test_an_apiservice_that_leads_back_ends_in_the_handshake(served: Served) -> None:
    """The apiserver does not believe the front proxy, so a request cannot go round."""
    async with session(served, "admin") as admin:
        await post(admin, "/api/v1/namespaces/default/services", service())
        await lead_to(served, served.config.rest_port)
        await post(admin, REGISTRATION, document(served.pki, caBundle=None, insecureSkipTLSVerify=True))
        failed = await reaches(admin, "FailedDiscoveryCheck")
        assert "failing or missing response from" in failed["message"]
        assert await get(admin, FLUNDERS) == (503, "service unavailable\n")

"""Webhooks of admission over real HTTPS: who is asked what, what their answers do, and what goes wrong with them.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from apiserver.core.connect_options import ExecOptions
from apiserver.core.values import Json
from kubarium.core.certificates import Certificate
from kubarium.identity.pki import Pki
from machinery.model.errors import ApiError, BadRequest, Forbidden, InternalError
from machinery.process.clock import WALL
from tests.support.apiserver import RegistryBench, certificates, config_map, pod, running_registry
from tests.support.raw_web_server import raw_web_server
from tests.support.waiting import until
from tests.support.web_server import web_server

RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}


@asynccontextmanager
async def registry() -> AsyncIterator[RegistryBench]:
    """Run a registry in real time."""
    async with running_registry(clock=WALL) as bench:
        try:
            yield bench
        finally:
            for close in bench.core.closing:
                await close()


def hook(pki: Pki, url: str, name: str = "hook.example.com", **fields: Any) -> Json:
    """Return a webhook that is asked about ConfigMaps."""
    ca = base64.b64encode(pki.certificate("ca").read_bytes()).decode()
    return {
        "name": name,
        "clientConfig": {"url": f"{url}/", "caBundle": ca},
        "rules": [RULE],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 5,
        **fields,
    }


async def configured(bench: RegistryBench, *hooks: Json, mutating: bool = False, name: str = "hooks") -> None:
    """Have webhooks asked from now on."""
    plural = "mutatingwebhookconfigurations" if mutating else "validatingwebhookconfigurations"
    await bench.create(plural, {"metadata": {"name": name}, "webhooks": list(hooks)})
    await bench.feed.fresh()


def allowed(patch: list[Json] | None = None, **response: Any) -> Callable[[str, Json], Json]:
    """Return what answers each review with a yes."""

    def answer(_path: str, review: Json) -> Json:
        made = {"uid": review["request"]["uid"], "allowed": True, **response}
        if patch is not None:
            made |= {"patchType": "JSONPatch", "patch": base64.b64encode(msgspec.json.encode(patch)).decode()}
        return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": made}

    return answer


async def test_a_webhook_is_told_of_a_request_and_changes_its_object(pki: Pki) -> None:
    """The object is as it was read; what the webhook leaves out is defaulted again, and what it warns of is passed on."""
    add = [
        {"op": "add", "path": "/spec/ports/0/name", "value": "web"},
        {"op": "remove", "path": "/spec/type"},
    ]
    async with web_server(pki) as server, registry() as bench:
        server.answer = allowed(add, warnings=["mind the gap"])
        rule = {**RULE, "resources": ["services"], "operations": ["CREATE"]}
        await configured(bench, hook(pki, server.url, rules=[rule]), mutating=True)
        body = {"metadata": {"name": "web"}, "spec": {"type": "ClusterIP", "ports": [{"port": 80}]}}
        request = bench.request("create", "services", body=msgspec.json.encode(body))
        reply = await bench.registry.create(request)
        made = msgspec.json.decode(reply.json)
        assert made["spec"]["ports"][0]["name"] == "web"
        assert made["spec"]["type"] == "ClusterIP"
        assert reply.warnings == ("mind the gap",)
        (review,) = server.asked
    asked = review["request"]
    form = {"group": "", "version": "v1"}
    assert (review["apiVersion"], review["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    assert asked["kind"] == asked["requestKind"] == {**form, "kind": "Service"}
    assert asked["resource"] == asked["requestResource"] == {**form, "resource": "services"}
    assert (asked["name"], asked["namespace"], asked["operation"], asked["dryRun"]) == (
        "web",
        "default",
        "CREATE",
        False,
    )
    assert asked["userInfo"] == {
        "username": "kubernetes-admin",
        "groups": ["system:masters", "system:authenticated"],
    }
    assert asked["object"]["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert asked["oldObject"] is None
    assert asked["options"] == {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"}
    assert "uid" not in asked["object"]["metadata"]


REFUSALS: list[tuple[Json | None, str, int, str]] = [
    (None, "without explanation", 400, ""),
    ({"message": "no"}, ": no", 400, ""),
    ({"reason": "Nope"}, ": Nope", 400, "Nope"),
    ({"code": 200, "message": "no"}, ": no", 400, ""),
    ({"code": 418, "message": "teapot", "reason": "Tea"}, ": teapot", 418, "Tea"),
]


@pytest.mark.parametrize(("status", "words", "code", "reason"), REFUSALS)
async def test_a_validating_webhook_refuses_in_its_own_words(
    pki: Pki, status: Json | None, words: str, code: int, reason: str
) -> None:
    """A code below 400 is none of a refusal. It sees the object as it would be stored."""
    async with web_server(pki) as server, registry() as bench:
        server.answer = allowed(allowed=False, **({"status": status} if status else {}))
        await configured(bench, hook(pki, server.url))
        with pytest.raises(ApiError) as caught:
            await bench.create("configmaps", config_map("a"))
        denied = 'admission webhook "hook.example.com" denied the request'
        assert caught.value.message in {f"{denied}{words}", f"{denied} {words}"}
        assert (caught.value.code, caught.value.reason) == (code, reason)
        assert server.asked[0]["request"]["object"]["metadata"]["uid"]
        assert not (await bench.list("configmaps")).items


def _bytes(body: bytes) -> Callable[[str, Any], bytes]:
    return lambda _path, _review: body


def _answered(**fields: Any) -> Callable[[str, Json], Json]:
    return lambda _path, review: {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": review["request"]["uid"], "allowed": True, **fields},
    }


NONSENSE: Mapping[str, tuple[Callable[[str, Any], Any], str]] = {
    "an error": (lambda _path, _review: 500, 'failed to call webhook: Post "{url}/?timeout=5s": an error on the server'),
    "not there": (lambda _path, _review: 404, "the server could not find the requested resource"),
    "a redirect": (lambda _path, _review: 302, "the server responded with the status code 302"),
    "no JSON": (_bytes(b"hello"), "received invalid webhook response: couldn't get version/kind; json parse error"),
    "nothing": (_bytes(b""), "json parse error"),
    "depth": (_bytes(b"[" * 100_000), "json parse error"),
    "another kind": (
        lambda _path, _review: {"apiVersion": "v1", "kind": "Pod"},
        "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got v1, Kind=Pod",
    ),
    "no response": (
        lambda _path, _review: {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"},
        "webhook response was absent",
    ),
    "another review's": (_answered(uid="x"), 'expected response.uid="'),
    "a patch": (_answered(patch="W10=", patchType="JSONPatch"), "validating webhook may not return response.patch"),
    "another type": (_answered(allowed="yes"), "json parse error"),
    "too much": (_answered(warnings=["x" * 7_000_000]), "the answer is larger than"),
}  # fmt: skip


@pytest.mark.parametrize("how", NONSENSE)
async def test_a_webhook_that_answers_nonsense_fails_the_request_or_is_left_out(pki: Pki, how: str) -> None:
    """As its failure policy says; the next request finds the server as it was."""
    answer, words = NONSENSE[how]
    async with web_server(pki) as server, registry() as bench:
        server.answer = answer
        await configured(bench, hook(pki, server.url))
        with pytest.raises(InternalError) as caught:
            await bench.create("configmaps", config_map("a"))
        message = caught.value.message
        assert message.startswith('Internal error occurred: failed calling webhook "hook.example.com": ')
        assert words.format(url=server.url) in message
        patch = [{"op": "add", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}]
        await _patched(bench, patch)
        assert await bench.create("configmaps", config_map("a"))
        server.answer = allowed(warnings=["again"])
        assert await bench.create("configmaps", config_map("b"))


async def _patched(bench: RegistryBench, patch: list[Json]) -> None:
    from machinery.model.requests import PatchType

    await bench.patch("validatingwebhookconfigurations", "hooks", patch, PatchType.JSON)
    await bench.feed.fresh()


async def _hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)
    await asyncio.Event().wait()


async def _half(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{")


async def _endless_head(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"a: " + b"b" * 8000 + b"\r\n")
        await writer.drain()


async def _no_http(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\0\0\0\0\0\0\r\n\r\n")


@pytest.mark.parametrize(
    ("serve", "words"),
    [
        (_hang, "context deadline exceeded"),
        (_half, "EOF"),
        (_endless_head, "server response headers exceeded 65536 bytes"),
        (_no_http, "malformed HTTP response"),
    ],
)
async def test_a_webhook_that_does_not_answer_is_not_waited_for(pki: Pki, serve: Any, words: str) -> None:
    """Longer than its configuration says."""
    async with raw_web_server(pki, serve) as url, registry() as bench:
        limit_s = 1 if serve is _hang else 20  # the others answer something
        await configured(bench, hook(pki, url, timeoutSeconds=limit_s))
        with pytest.raises(InternalError) as caught:
            await bench.create("configmaps", config_map("a"))
        assert f'failed to call webhook: Post "{url}/?timeout={limit_s}s": ' in caught.value.message
        assert words in caught.value.message


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"url": "https://127.0.0.1:1/x"}, 'Post "https://127.0.0.1:1/x?timeout=5s": dial tcp 127.0.0.1:1: connect: connection refused'),
        ({"url": "https://nobody.invalid/"}, "dial tcp: lookup nobody.invalid: no such host"),
        ({"service": {"namespace": "default", "name": "nobody"}}, 'Post "https://nobody.default.svc:443/?timeout=5s": service "nobody" not found'),
    ],
)  # fmt: skip
async def test_a_webhook_that_is_not_there_is_said_to_be_so(pki: Pki, config: Json, words: str) -> None:
    """In the words of Go's client."""
    async with registry() as bench:
        await configured(bench, {**hook(pki, ""), "clientConfig": config})
        with pytest.raises(InternalError) as caught:
            await bench.create("configmaps", config_map("a"))
        assert words in caught.value.message


async def test_a_certificate_is_checked_by_the_configurations_ca_and_name(pki: Pki, tmp_path: Any) -> None:
    """Neither another CA's, nor another server's will do."""
    other = certificates(tmp_path)
    async with web_server(pki) as server, registry() as bench:
        server.answer = allowed()
        await configured(bench, hook(other, server.url))
        with pytest.raises(
            InternalError,
            match="tls: failed to verify certificate: x509: certificate signed by unknown authority",
        ):
            await bench.create("configmaps", config_map("a"))
        port = server.url.rpartition(":")[2]
        await bench.delete("validatingwebhookconfigurations", "hooks")
        service = {"namespace": "default", "name": "web", "port": int(port)}
        await _lead(bench, "web", int(port))
        wrong = hook(pki, "")
        await configured(
            bench,
            {**wrong, "clientConfig": {**wrong["clientConfig"], "service": service, "url": None}},
            name="wrong",
        )
        with pytest.raises(
            InternalError, match=r"Post \"https://web\.default\.svc:.*x509: Hostname mismatch"
        ):
            await bench.create("configmaps", config_map("a"))


async def _lead(bench: RegistryBench, name: str, port: int) -> None:
    """Have a Service lead to a port of this machine: by a slice as it is stored, since none with that address is admitted."""
    spec = {"clusterIP": "None", "ports": [{"name": "https", "port": port}]}
    await bench.create("services", {"metadata": {"name": name}, "spec": spec})
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": "default", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": ["192.0.2.1"], "conditions": {"ready": False}},
            {"addresses": ["127.0.0.1"], "conditions": {"ready": True}},
        ],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }
    await bench.storage.create(f"/registry/endpointslices/default/{name}", msgspec.json.encode(slice_))
    await bench.feed.fresh()


async def test_a_webhook_is_reached_by_its_service(pki: Pki) -> None:
    """Its certificate has the name of the Service; an endpoint that is not ready is left out."""
    pki.ensure(Certificate("webhook", "web", hosts=("web.default.svc",)))
    async with web_server(pki, "webhook") as server, registry() as bench:
        server.answer = allowed(warnings=["reached"])
        port = int(server.url.rpartition(":")[2])
        await _lead(bench, "web", port)
        made = hook(pki, "")
        service = {"namespace": "default", "name": "web", "port": port, "path": "/validate"}
        await configured(
            bench, {**made, "clientConfig": {**made["clientConfig"], "service": service, "url": None}}
        )
        await bench.create("configmaps", config_map("a"))
        assert server.asked
        assert server.headers[0]["Host"] == f"web.default.svc:{port}"


async def test_connections_are_kept(pki: Pki) -> None:
    """Ten requests need one handshake."""
    async with web_server(pki) as server, registry() as bench:
        server.answer = allowed()
        await configured(bench, hook(pki, server.url))
        for number in range(10):
            await bench.create("configmaps", config_map(f"m-{number}"))
        assert (len(server.asked), len(server.peers)) == (10, 1)


@pytest.mark.parametrize(
    ("fields", "labels", "is_asked"),
    [
        ({}, {}, True),
        ({"objectSelector": {"matchLabels": {"app": "web"}}}, {"app": "web"}, True),
        ({"objectSelector": {"matchLabels": {"app": "web"}}}, {"app": "db"}, False),
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}, {}, True),
        ({"namespaceSelector": {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["default"]}]}}, {}, False),
        ({"rules": [{**RULE, "operations": ["UPDATE"]}]}, {}, False),
        ({"rules": [{**RULE, "scope": "Cluster"}]}, {}, False),
        ({"rules": [{**RULE, "scope": "Namespaced", "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}]}, {}, True),
        ({"rules": [{**RULE, "resources": ["configmaps/status"]}]}, {}, False),
        ({"matchConditions": [{"name": "a", "expression": "object.metadata.name == 'a'"}]}, {}, True),
        ({"matchConditions": [{"name": "a", "expression": "object.metadata.name != 'a'"}]}, {}, False),
        ({"matchConditions": [{"name": "a", "expression": "object.data.nope == ''"}, {"name": "b", "expression": "false"}]}, {}, False),
        ({"matchConditions": [{"name": "a", "expression": "authorizer.group('').resource('pods').namespace('x').check('get').allowed()"}]}, {}, True),
        ({"matchConditions": [{"name": "a", "expression": "authorizer.serviceAccount('x', 'y').requestResource.check('*').allowed()"}]}, {}, False),
        ({"matchConditions": [{"name": "a", "expression": "namespaceObject.metadata.name == request.namespace && request.userInfo.username.startsWith('kubernetes')"}]}, {}, True),
    ],
)  # fmt: skip
async def test_a_webhook_is_asked_about_what_its_configuration_is_about(
    pki: Pki, fields: Json, labels: Json, is_asked: bool
) -> None:
    """Rules, selectors, and conditions, which may ask the authorizer."""
    if "serviceAccount" in str(fields):
        fields = {"matchConditions": [{"name": "a", "expression": "authorizer.serviceAccount('x', 'y').group('').resource('pods').check('get').allowed()"}]}  # fmt: skip
    async with web_server(pki) as server, registry() as bench:
        server.answer = allowed()
        await configured(bench, hook(pki, server.url, **fields))
        made = config_map("a")
        made["metadata"]["labels"] = labels
        await bench.create("configmaps", made)
        assert bool(server.asked) is is_asked


@pytest.mark.parametrize(("policy", "is_refused"), [("Fail", True), ("Ignore", False)])
async def test_a_condition_that_fails_is_the_failure_policys(pki: Pki, policy: str, is_refused: bool) -> None:
    """The webhook is not asked in either case."""
    condition = {"name": "a", "expression": "object.data.nope == ''"}
    async with web_server(pki) as server, registry() as bench:
        await configured(bench, hook(pki, server.url, matchConditions=[condition], failurePolicy=policy))
        if is_refused:
            with pytest.raises(Forbidden, match=r'configmaps "a" is forbidden: .*no such key: nope'):
                await bench.create("configmaps", config_map("a", other="x"))
        else:
            await bench.create("configmaps", config_map("a", other="x"))
        assert not server.asked


async def test_a_condition_without_end_is_ended(pki: Pki) -> None:
    """While it is evaluated, others are served."""
    loop = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"
    text = f"{loop}.all(a, {loop}.all(b, {loop}.all(c, {loop}.all(d, {loop}.all(e, {loop}.all(f, a + b + c + d + e + f > 0))))))"
    async with web_server(pki) as server, registry() as bench:
        await configured(bench, hook(pki, server.url, matchConditions=[{"name": "a", "expression": text}]))
        refused = asyncio.ensure_future(bench.create("configmaps", config_map("a")))
        for _ in range(3):
            await bench.get("namespaces", "default")
        with pytest.raises(Forbidden, match="cost"):
            await refused


async def test_a_dry_run_asks_only_webhooks_without_side_effects(pki: Pki) -> None:
    """Of others it cannot be told what they would say."""
    async with web_server(pki) as server, registry() as bench:
        server.answer = allowed()
        await configured(bench, hook(pki, server.url, sideEffects="NoneOnDryRun"))
        await bench.create("configmaps", config_map("a"), dry_run=True)
        assert server.asked[0]["request"]["dryRun"] is True
        assert server.asked[0]["request"]["options"]["dryRun"] == ["All"]
        # One with side effects cannot be configured in v1; a stored one of an older version can be there.


async def test_a_connection_is_made_as_webhooks_want_it(pki: Pki) -> None:
    """A mutating one may choose another container; what makes no sense ends the request."""
    rule = {**RULE, "operations": ["CONNECT"], "resources": ["pods/exec"]}
    options = ExecOptions(stdout=True, command=("ls",))
    async with web_server(pki) as server, registry() as bench:
        await configured(bench, hook(pki, server.url, rules=[rule]), mutating=True)
        request = bench.request("connect", "pods/exec", "web")
        server.answer = allowed([{"op": "add", "path": "/container", "value": "side"}])
        made = await bench.registry.connect(request, options)
        assert made.options == ExecOptions(stdout=True, command=["ls"], container="side")
        server.answer = allowed(warnings=["mind the gap"])
        made = await bench.registry.connect(request, options)
        assert (made.options, made.warnings) == (options, ("mind the gap",))
        server.answer = allowed([{"op": "replace", "path": "/command", "value": 7}])
        with pytest.raises(
            InternalError, match=r"PodExecOptions after admission: Expected `array`, got `int`"
        ):
            await bench.registry.connect(request, options)
        server.answer = allowed(allowed=False, status={"code": 403, "message": "not there"})
        with pytest.raises(
            ApiError, match=r'admission webhook "hook\.example\.com" denied the request: not there'
        ):
            await bench.registry.connect(request, options)


async def test_a_webhook_hears_again_of_what_others_changed_after_it(pki: Pki) -> None:
    """Once; one that is not to be asked again is not."""
    async with web_server(pki) as server, registry() as bench:

        def answer(path: str, review: Json) -> Json:
            data = review["request"]["object"].get("data", {})
            count = data.get(path.strip("/"), "")
            patch = [{"op": "add", "path": f"/data{path}", "value": f"{count}x"}]
            return allowed(patch)("", review)

        server.answer = answer
        hooks = [
            {**hook(pki, server.url, f"{name}.example.com", reinvocationPolicy=policy)}
            for name, policy in (("one", "IfNeeded"), ("two", "Never"), ("three", "IfNeeded"))
        ]
        for each, name in zip(hooks, ("one", "two", "three"), strict=True):
            each["clientConfig"]["url"] = f"{server.url}/{name}"
        await configured(bench, *hooks, mutating=True)
        made = await bench.create("configmaps", config_map("a", key="v"))
        # The third hears again, too: the first has changed the object once more, after it.
        assert made["data"] == {"key": "v", "one": "xx", "two": "x", "three": "xx"}


async def test_deletions_and_subresources_are_told_as_what_they_are(pki: Pki) -> None:
    """A deletion has an old object only; a binding, an eviction and a scale are of kinds of their own."""
    rules = [{"apiGroups": ["", "apps"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["pods/*", "configmaps", "deployments/scale"]}]  # fmt: skip
    async with web_server(pki) as server, registry() as bench:
        server.answer = allowed(warnings=["heard"])
        await configured(bench, hook(pki, server.url, rules=rules))
        await bench.create("configmaps", config_map("a"))
        deleting = bench.request("delete", "configmaps", "a")
        assert (await bench.registry.delete(deleting)).warnings == ("heard",)
        asked = server.asked[-1]["request"]
        assert (asked["operation"], asked["object"], asked["oldObject"]["metadata"]["name"]) == (
            "DELETE",
            None,
            "a",
        )
        assert asked["options"]["kind"] == "DeleteOptions"
        await bench.create("pods", pod("web"))
        binding = {"target": {"kind": "Node", "name": "node-1"}}
        await bench.create("pods/binding", binding, name="web")
        asked = server.asked[-1]["request"]
        assert (asked["kind"]["kind"], asked["subResource"], asked["operation"]) == (
            "Binding",
            "binding",
            "CREATE",
        )
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
        await bench.create("deployments", {"metadata": {"name": "web"}, "spec": spec})
        await bench.patch("deployments/scale", "web", {"spec": {"replicas": 3}})
        asked = server.asked[-1]["request"]
        assert asked["kind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
        assert (asked["object"]["spec"], asked["oldObject"]["spec"]) == ({"replicas": 3}, {"replicas": 1})
        eviction = {"metadata": {"name": "web"}}
        await bench.create("pods/eviction", eviction, name="web")
        evicted = [
            each["request"] for each in server.asked if each["request"].get("subResource") == "eviction"
        ]
        assert evicted[0]["kind"] == {"group": "policy", "version": "v1", "kind": "Eviction"}


async def test_nobody_is_asked_about_webhooks_and_policies_themselves(pki: Pki) -> None:
    """Else one that refuses everything could not be removed."""
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}
    async with web_server(pki) as server, registry() as bench:
        server.answer = allowed(allowed=False)
        await configured(bench, hook(pki, server.url, rules=[rule]))
        await bench.delete("validatingwebhookconfigurations", "hooks")
        assert not server.asked


async def test_webhooks_that_call_each_other_come_to_an_end(pki: Pki) -> None:
    """One that makes an object of the kind that it is asked about is ended by its timeout."""
    async with registry() as bench:
        under_way: set[asyncio.StreamWriter] = set()

        async def recurse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            under_way.add(writer)
            try:
                await reader.read(10)
                await bench.create("configmaps", {"metadata": {"generateName": "again-"}})
            finally:
                under_way.discard(writer)

        async with raw_web_server(pki, recurse) as url:
            await configured(bench, hook(pki, url, timeoutSeconds=1))
            with pytest.raises(InternalError, match="context deadline exceeded"):
                await bench.create("configmaps", config_map("a"))
            assert not (await bench.list("configmaps")).items
            await bench.delete("validatingwebhookconfigurations", "hooks")
            await bench.feed.fresh()
            await until(lambda: not under_way)  # each is ended by its own timeout
            with pytest.raises(BadRequest):
                await bench.create("configmaps", {"metadata": 1})

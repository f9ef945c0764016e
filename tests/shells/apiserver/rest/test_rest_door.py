"""The REST door on real TLS: forms of bodies and answers, errors, watches, identities."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import aiohttp
import pytest
import yaml
from google.protobuf.message_factory import GetMessageClass

from apiserver.core.kinds import KINDS
from apiserver.rest.protobuf_messages import MEDIA_TYPE, META, message_pool
from machinery.model.tokens import LAST_USED, LEGACY_TYPE, legacy_claims
from tests.support.apiserver import Served
from tests.support.pod_specs import deployment
from tests.support.rest_door import KUBECTL_TABLE, Client, config_map
from tests.support.waiting import until

MAPS = "/api/v1/namespaces/default/configmaps"


ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
SUBJECT = {"kind": "ServiceAccount", "namespace": "default", "name": "viewer"}


async def call(session: aiohttp.ClientSession, method: str, path: str, **options: Any) -> tuple[int, Any]:
    """Send a request; give the status and the JSON, or the text."""
    async with session.request(method, path, **options) as response:
        body = await response.read()
        is_json = response.content_type == "application/json"
        return response.status, json.loads(body) if is_json and body else body.decode()


async def test_an_object_is_created_listed_and_printed(admin: aiohttp.ClientSession):
    """JSON and YAML go in; objects, lists, tables, metadata and YAML come out."""
    assert (await call(admin, "POST", MAPS, json=config_map("a", x="1")))[0] == 201
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata: {y: '2'}\n"
    headers = {"Content-Type": "application/yaml"}
    assert (await call(admin, "POST", MAPS, data=text, headers=headers))[0] == 201
    _, listed = await call(admin, "GET", MAPS)
    assert (listed["kind"], [item["metadata"]["name"] for item in listed["items"]]) == (
        "ConfigMapList",
        ["a", "b"],
    )
    _, table = await call(admin, "GET", MAPS, headers={"Accept": KUBECTL_TABLE})
    assert [row["cells"][:2] for row in table["rows"]] == [["a", 1], ["b", 1]]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    _, table = await call(admin, "GET", f"{MAPS}/a?includeObject=Object", headers={"Accept": KUBECTL_TABLE})
    assert table["rows"][0]["object"]["data"] == {"x": "1"}
    partial = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
    _, found = await call(admin, "GET", MAPS, headers=partial)
    assert "data" not in found["items"][0]
    _, text = await call(admin, "GET", f"{MAPS}/b", headers={"Accept": "application/yaml"})
    assert "kind: ConfigMap" in text


async def test_parts_of_an_object_are_printed(admin: aiohttp.ClientSession):
    """Its status as the object itself, its scale with the numbers: `kubectl get --subresource`."""
    path = "/apis/apps/v1/namespaces/default/deployments"
    await call(admin, "POST", path, json=deployment(replicas=3))
    _, table = await call(admin, "GET", f"{path}/web/status", headers={"Accept": KUBECTL_TABLE})
    assert [column["name"] for column in table["columnDefinitions"]][:4] == [
        "Name",
        "Ready",
        "Up-to-date",
        "Available",
    ]
    assert table["rows"][0]["cells"][:3] == ["web", "0/3", 0]
    _, table = await call(admin, "GET", f"{path}/web/scale", headers={"Accept": KUBECTL_TABLE})
    assert [column["name"] for column in table["columnDefinitions"]] == [
        "Name",
        "Desired",
        "Available",
        "Age",
    ]
    assert table["rows"][0]["cells"][:3] == ["web", 3, 0]


DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


async def test_what_has_no_effect_is_warned_of_with_every_write(admin: aiohttp.ClientSession):
    """An option of a template's pods, in the head of the answer."""
    body = deployment()
    body["spec"]["template"]["spec"]["securityContext"] = {"windowsOptions": {"runAsUserName": "ann"}}
    told = "spec.template.spec.securityContext.windowsOptions has no effect"
    async with admin.post(DEPLOYMENTS, json=body) as response:
        assert told in response.headers["Warning"]
    headers = {"Content-Type": "application/merge-patch+json"}
    change = {"metadata": {"labels": {"tier": "front"}}}
    async with admin.patch(f"{DEPLOYMENTS}/web", json=change, headers=headers) as response:
        assert told in response.headers["Warning"]


IN_ORDER = 'unknown field "spec.odd", duplicate field "spec.replicas"'
IN_YAML = 'yaml: unmarshal errors:\n  line 1: key "replicas" already set in map, unknown field "spec.odd"'  # go-yaml comes first
TWICE = '{"spec":{"odd":1,"replicas":2,"replicas":3}}'


@pytest.mark.parametrize(
    ("method", "path", "form", "body", "told"),
    [
        ("POST", DEPLOYMENTS, "json", TWICE, IN_ORDER),
        ("POST", DEPLOYMENTS, "yaml", "spec: {odd: 1, replicas: 2, replicas: 3}", IN_YAML),
        ("POST", DEPLOYMENTS, "yaml", "spec: {replicas: 2, replicas: 3}", 'yaml: unmarshal errors:\n  line 1: key "replicas" already set in map'),
        ("PUT", f"{DEPLOYMENTS}/web", "json", TWICE, IN_ORDER),
        ("PUT", f"{DEPLOYMENTS}/web/status", "json", TWICE, IN_ORDER),
        ("PUT", f"{DEPLOYMENTS}/web/scale", "json", TWICE, IN_ORDER),
        ("PATCH", f"{DEPLOYMENTS}/web", "merge-patch+json", TWICE, IN_ORDER),
        ("PATCH", f"{DEPLOYMENTS}/web/scale", "merge-patch+json", TWICE, IN_ORDER),
        ("PATCH", f"{DEPLOYMENTS}/web", "merge-patch+json", '{"spec":{"x":1},"metadata":{"y":1}}', 'unknown field "spec.x", unknown field "metadata.y"'),
        ("PATCH", f"{DEPLOYMENTS}/web", "strategic-merge-patch+json", TWICE, 'duplicate field "spec.replicas", unknown field "spec.odd"'),
        ("PATCH", f"{DEPLOYMENTS}/web/status", "strategic-merge-patch+json", TWICE, 'duplicate field "spec.replicas", unknown field "spec.odd"'),
        ("PATCH", f"{DEPLOYMENTS}/web", "json-patch+json", '[{"op":"test","op":"add","path":"/spec/odd","value":{"a":1,"a":2}}]', 'json patch duplicate field "[0].op", json patch duplicate field "[0].value.a", unknown field "spec.odd"'),
        ("POST", "/api/v1/namespaces/default/pods/web/eviction", "json", '{"odd":1,"kind":"Eviction","kind":"Eviction"}', 'unknown field "odd", duplicate field "kind"'),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "json", '{"odd":1,"spec":{},"spec":{"nonResourceAttributes":{"path":"/"}}}', 'unknown field "odd", duplicate field "spec"'),
    ],
)  # fmt: skip
async def test_what_is_said_in_vain_is_told_in_its_order(
    admin: aiohttp.ClientSession, method: str, path: str, form: str, body: str, told: str
):
    """Whatever is written in which form: refused with Strict; else warned of, and with Ignore done in silence."""
    await call(admin, "POST", DEPLOYMENTS, json=deployment())
    request = {"data": body, "headers": {"Content-Type": f"application/{form}"}}
    status, error = await call(admin, method, f"{path}?fieldValidation=Strict&dryRun=All", **request)
    refused = 422 if method == "PATCH" and not path.endswith("scale") else 400
    assert (status, error["message"].partition("strict decoding error: ")[2]) == (refused, told)
    if method == "PATCH" or path.endswith(("scale", "reviews")):  # others need a whole object
        async with admin.request(method, f"{path}?dryRun=All", **request) as response:
            assert response.status < 300, await response.text()
            warned = [text.removeprefix("299 - ") for text in response.headers.getall("Warning")]
            assert ", ".join(json.loads(text) for text in warned) == told
        async with admin.request(method, f"{path}?dryRun=All&fieldValidation=Ignore", **request) as response:
            assert "Warning" not in response.headers


async def test_what_lists_say_of_their_items(admin: aiohttp.ClientSession):
    """What the list says, which kind they are, they do not say again, in whichever form; one object, and an event, do."""
    await call(admin, "POST", MAPS, json=config_map("one", a="1"))
    await call(admin, "POST", MAPS, json=config_map("large", a="x" * 200_000))
    _, one = await call(admin, "GET", f"{MAPS}/one")
    assert (one["kind"], one["apiVersion"]) == ("ConfigMap", "v1")
    headers: tuple[dict[str, str], ...] = (
        {},
        {"Accept-Encoding": "identity"},
        {"Accept": "application/yaml"},
    )
    for _ in range(2):  # the second is answered by what is kept of the first
        for each in headers:
            async with admin.get(MAPS, headers=each) as response:
                listed = yaml.safe_load(await response.text())
            assert (listed["kind"], listed["apiVersion"]) == ("ConfigMapList", "v1")
            assert len(listed["items"]) == 2
            for item in listed["items"]:
                assert item.keys() == one.keys() - {"kind", "apiVersion"}
            assert one["metadata"] in [item["metadata"] for item in listed["items"]]
    async with admin.get(f"{MAPS}?watch=1&timeoutSeconds=1") as response:
        assert json.loads(await response.content.readline())["object"]["kind"] == "ConfigMap"


async def test_a_collection_is_deleted_in_one_namespace(admin: aiohttp.ClientSession):
    """Nobody empties all namespaces by one request."""
    await call(admin, "POST", MAPS, json=config_map("one"))
    status, answer = await call(admin, "DELETE", "/api/v1/configmaps")
    assert (status, answer["reason"]) == (405, "MethodNotAllowed")
    assert (await call(admin, "GET", f"{MAPS}/one"))[0] == 200
    assert (await call(admin, "DELETE", MAPS))[0] == 200
    assert (await call(admin, "GET", f"{MAPS}/one"))[0] == 404


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_tables_and_metadata_have_two_versions(admin: aiohttp.ClientSession, version: str):
    """Of an object, of a list, of a subresource, of an event; the rows' objects are of the same one."""
    await call(admin, "POST", MAPS, json=config_map("one", a="1"))
    table = {"Accept": f"application/json;as=Table;v={version};g=meta.k8s.io"}
    partial = {"Accept": f"application/json;as=PartialObjectMetadata;v={version};g=meta.k8s.io"}
    listed = {"Accept": f"application/json;as=PartialObjectMetadataList;v={version};g=meta.k8s.io"}
    status = "/api/v1/namespaces/default/status"
    found = [await call(admin, "GET", path, headers=table) for path in (f"{MAPS}/one", MAPS, status)]
    found += [await call(admin, "GET", path, headers=partial) for path in (f"{MAPS}/one", status)]
    found.append(await call(admin, "GET", MAPS, headers=listed))
    assert [(code, body["apiVersion"], body["kind"]) for code, body in found] == [
        *[(200, f"meta.k8s.io/{version}", "Table")] * 3,
        *[(200, f"meta.k8s.io/{version}", "PartialObjectMetadata")] * 2,
        (200, f"meta.k8s.io/{version}", "PartialObjectMetadataList"),
    ]
    rows = [body["rows"][0] for _, body in found[:3]]
    assert {row["object"]["apiVersion"] for row in rows} == {f"meta.k8s.io/{version}"}
    for headers, kind in ((table, "Table"), (partial, "PartialObjectMetadata")):
        async with admin.get(f"{MAPS}?watch=1&timeoutSeconds=1", headers=headers) as response:
            event = json.loads(await response.content.readline())
        assert (event["object"]["apiVersion"], event["object"]["kind"]) == (f"meta.k8s.io/{version}", kind)


async def test_a_watch_ends_when_it_is_told_to(admin: aiohttp.ClientSession):
    """Below zero at once, and however far off that is."""
    async with admin.get(f"{MAPS}?watch=1&timeoutSeconds=-5&resourceVersion=1") as response:
        assert (response.status, await response.content.read()) == (200, b"")
    async with admin.get(f"{MAPS}?watch=1&timeoutSeconds={(1 << 63) - 1}") as response:
        assert response.status == 200


async def test_a_watch_from_no_revision_says_where_its_state_ends(admin: aiohttp.ClientSession):
    """With the bookmark that streaming lists end with, for those who take bookmarks."""
    await call(admin, "POST", MAPS, json=config_map("one", a="1"))
    async with admin.get(f"{MAPS}?watch=1&allowWatchBookmarks=1&timeoutSeconds=60") as response:
        events = [json.loads(await response.content.readline()) for _ in range(2)]
    assert [event["type"] for event in events] == ["ADDED", "BOOKMARK"]
    assert events[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_list_comes_in_pages(admin: aiohttp.ClientSession):
    """The token of a page leads to the next one."""
    for name in ("a", "b", "c"):
        await call(admin, "POST", MAPS, json=config_map(name))
    _, first = await call(admin, "GET", f"{MAPS}?limit=2")
    assert (len(first["items"]), first["metadata"]["remainingItemCount"]) == (2, 1)
    _, rest = await call(admin, "GET", MAPS, params={"limit": "2", "continue": first["metadata"]["continue"]})
    assert [item["metadata"]["name"] for item in rest["items"]] == ["c"]


async def test_unknown_fields_are_warned_of_or_refused(admin: aiohttp.ClientSession):
    """A warning is a header; Strict is a 400."""
    odd = {**config_map("odd"), "pudding": 1}
    async with admin.post(MAPS, json=odd) as response:
        assert response.status == 201
        assert response.headers["Warning"] == '299 - "unknown field \\"pudding\\""'
        assert response.headers["Audit-Id"]
    status, error = await call(
        admin, "POST", f"{MAPS}?fieldValidation=Strict", json={**odd, "metadata": {"name": "x"}}
    )
    assert (status, error["reason"]) == (400, "BadRequest")


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "words"),
    [
        ("GET", f"{MAPS}/none", {}, 404, 'configmaps "none" not found'),
        ("GET", "/api/v1/puddings", {}, 404, "404 page not found"),
        ("GET", "/nowhere", {}, 404, "404 page not found"),
        (
            "GET",
            "/apis/certificates.k8s.io/v1beta1/clustertrustbundles?watch=true",
            {},
            501,
            "clustertrustbundles.certificates.k8s.io (certificates.k8s.io/v1beta1 ClusterTrustBundle) is not built",
        ),
        (
            "POST",
            "/apis/coordination.k8s.io/v1beta1/namespaces/default/leasecandidates",
            {"data": b"{}"},
            501,
            "leasecandidates.coordination.k8s.io",
        ),
        (
            "GET",
            "/apis/metrics.k8s.io/v1beta1/nodes/n",
            {},
            404,
            'nodemetrics.metrics.k8s.io "n" not found',
        ),
        ("DELETE", "/apis/metrics.k8s.io/v1beta1/nodes/n", {}, 405, "does not allow this method"),
        ("GET", "/api/v1/nodes/n/proxy/logs/a?watch=true", {}, 404, 'nodes "n" not found'),
        (
            "PUT",
            "/api/v1/namespaces/default/services/https:web:1/proxy/a/b",
            {},
            404,
            'services "web" not found',
        ),
        ("PUT", MAPS, {"json": {}}, 405, "does not allow this method"),
        ("POST", "/api/v1/configmaps", {"json": {}}, 405, "does not allow this method"),
        ("GET", f"{MAPS}?limit=x", {}, 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("GET", f"{MAPS}?limit=", {}, 400, 'strconv.ParseInt: parsing "": invalid syntax'),
        ("GET", f"{MAPS}?timeout=5", {}, 400, "invalid timeout specified in the request URL"),
        (
            "GET",
            f"{MAPS}?labelSelector=a+b+c",
            {},
            400,
            "unable to parse requirement: found 'b', expected: in, ",
        ),
        ("GET", f"{MAPS}?labelSelector=a=b=c", {}, 400, "found '=', expected: ',' or 'end of string'"),
        ("GET", f"{MAPS}?fieldSelector=data.a=b", {}, 400, '"data.a" is not a known field selector: only'),
        ("GET", f"{MAPS}?fieldSelector=a", {}, 400, "invalid selector: 'a'; can't understand 'a'"),
        ("GET", f"{MAPS}?continue=x", {}, 400, "invalid continue token: continue key is not valid"),
        ("GET", f"{MAPS}?resourceVersion=x", {}, 400, "invalid resource version: resourceVersion: Invalid"),
        ("DELETE", f"{MAPS}?resourceVersionMatch=x", {}, 422, "forbidden unless resourceVersion is provided"),
        (
            "GET",
            MAPS,
            {"headers": {"Accept": "application/cbor"}},
            406,
            "application/json",
        ),
        ("POST", MAPS, {"data": b"{", "headers": {"Content-Type": "application/json"}}, 400, "JSON"),
        ("POST", MAPS, {"data": b"a=b", "headers": {"Content-Type": "text/plain"}}, 415, "application/yaml"),
        ("PATCH", f"{MAPS}/x", {"json": {}}, 415, "strategic-merge-patch"),
        (
            "PATCH",
            f"{MAPS}/x?fieldManager=f",
            {"data": "a: 1", "headers": {"Content-Type": "application/apply-patch+yaml"}},
            400,
            "Incorrect version specified in apply patch",
        ),
        ("POST", MAPS, {"json": config_map("Not_A_Name")}, 422, "RFC 1123"),
        (
            "GET",
            f"{MAPS}?watch=true&resourceVersion=abc",
            {},
            422,
            'configmaps "" is invalid: resourceVersion: Invalid value: "abc": strconv.ParseUint',
        ),
        ("GET", "/api/v1/namespaces/default/pods/x/exec?command=a", {}, 404, 'pods "x" not found'),
        ("DELETE", f"{MAPS}/x?propagationPolicy=x", {}, 422, "propagationPolicy"),
        (
            "POST",
            MAPS,
            {"data": b"x", "headers": {"Content-Type": "application/json", "Content-Encoding": "gzip"}},
            415,
            "Content-Encoding",
        ),
        (
            "POST",
            MAPS,
            {"data": b"[" * 100_000, "headers": {"Content-Type": "application/yaml"}},
            400,
            "nested",
        ),
    ],
)
async def test_an_error_is_a_status_that_says_what_is_wrong(
    admin: aiohttp.ClientSession, method: str, path: str, options: dict, status: int, words: str
):
    """Bad input gets a 4xx, and the door goes on."""
    got, body = await call(admin, method, path, **options)
    assert got == status
    message = body["message"] if isinstance(body, dict) else body
    assert words.lower() in message.lower()
    assert (await call(admin, "GET", MAPS))[0] == 200


async def test_a_body_has_a_limit(admin: aiohttp.ClientSession):
    """With a length that is announced, and without."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(33):
            yield b"x" * 100_000

    headers = {"Content-Type": "application/json"}
    for body in (BytesIO(b"x" * 3_300_000), pieces()):
        status, error = await call(admin, "POST", MAPS, data=body, headers=headers)
        assert (status, error["reason"]) == (413, "RequestEntityTooLarge")


async def test_a_watch_tells_what_happens(admin: aiohttp.ClientSession):
    """One line an event, as objects and as tables; the columns stand in the first table only."""
    _, listed = await call(admin, "GET", MAPS)
    query = {"watch": "1", "resourceVersion": listed["metadata"]["resourceVersion"], "timeoutSeconds": "60"}
    async with (
        admin.get(MAPS, params=query) as objects,
        admin.get(MAPS, params=query, headers={"Accept": KUBECTL_TABLE}) as tables,
    ):
        await call(admin, "POST", MAPS, json=config_map("w", x="1"))
        await call(admin, "DELETE", f"{MAPS}/w")
        events = [json.loads(await objects.content.readline()) for _ in range(2)]
        printed = [json.loads(await tables.content.readline())["object"] for _ in range(2)]
    assert [event["type"] for event in events] == ["ADDED", "DELETED"]
    assert [bool(table["columnDefinitions"]) for table in printed] == [True, False]
    assert printed[1]["rows"][0]["cells"][0] == "w"


async def test_every_answer_says_how_it_was_served(
    served: Served, admin: aiohttp.ClientSession, client: Client
):
    """A watch, a page and an error as well: its name in the audit log, and the uids of its flow's schema and level."""
    await served.core.bootstrap.run()
    review = {"spec": {"nonResourceAttributes": {"path": "/version", "verb": "get"}}}
    reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    for session in (admin, client("node-1")):
        for method, path, body in (
            ("GET", "/version", None),
            ("GET", "/api/v1/services?watch=1&timeoutSeconds=-1&resourceVersion=1", None),
            ("GET", "/api/v1/nodes/node-1", None),
            ("POST", reviews, review),
        ):
            async with session.request(method, path, json=body) as response:
                names = {name.lower() for name in response.headers}
            uids = {"x-kubernetes-pf-flowschema-uid", "x-kubernetes-pf-prioritylevel-uid"}
            assert {"audit-id", *uids} <= names, (path, names)


async def test_a_watch_of_one_object_and_its_end(admin: aiohttp.ClientSession):
    """A name watches one object; the stream ends after its timeout."""
    await call(admin, "POST", MAPS, json=config_map("one"))
    await call(admin, "POST", MAPS, json=config_map("two"))
    async with admin.get(f"{MAPS}/one?watch=1&timeoutSeconds=1") as response:
        lines = (await response.read()).splitlines()
    assert [json.loads(line)["object"]["metadata"]["name"] for line in lines] == ["one"]


async def test_a_watch_from_a_revision_that_is_gone_tells_of_it_in_an_event(
    admin: aiohttp.ClientSession, served: Served
):
    """Clients in other languages look for it there; what is wrong with the request is a status, as everywhere."""
    _, made = await call(admin, "POST", MAPS, json=config_map("one"))
    await call(admin, "GET", MAPS)
    cache = served.core.feed.cache(KINDS["", "configmaps"])
    cache.replace([], cache.revision)
    assert int(made["metadata"]["resourceVersion"]) > 1
    status, text = await call(admin, "GET", f"{MAPS}?watch=1&resourceVersion=1")
    assert (status, text["type"], text["object"]["code"]) == (200, "ERROR", 410)
    assert text["object"]["reason"] == "Expired"


OPEN = (
    'apiserver_longrunning_requests{component="apiserver",group="",resource="configmaps",scope="namespace",'
    'subresource="",verb="WATCH",version="v1"}'
)


async def test_a_caller_who_goes_leaves_no_watch_behind(admin: aiohttp.ClientSession):
    """The watch ends with the connection."""
    response = await admin.get(f"{MAPS}?watch=1")
    assert f"{OPEN} 1" in (await call(admin, "GET", "/metrics"))[1]
    response.close()
    async with asyncio.timeout(60):
        while f"{OPEN} 0" not in (await call(admin, "GET", "/metrics"))[1]:
            await asyncio.sleep(0.01)


async def test_large_answers_are_compressed(admin: aiohttp.ClientSession):
    """For those who accept it."""
    await call(admin, "POST", MAPS, json=config_map("large", x="a" * 300_000))
    async with admin.get(f"{MAPS}/large") as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert len((await response.json())["data"]["x"]) == 300_000
    async with admin.get(f"{MAPS}/large", headers={"Accept-Encoding": "identity"}) as response:
        assert "Content-Encoding" not in response.headers


async def test_nobody_sees_health_and_version_only(client: Client):
    """Without an identity nothing else is shown; a wrong token is an error."""
    nobody = client("")
    assert [
        (await call(nobody, "GET", path))[0] for path in ("/livez", "/readyz", "/healthz", "/version")
    ] == [200] * 4
    assert (await call(nobody, "GET", "/api"))[0] == 403
    status, error = await call(nobody, "GET", MAPS)
    assert status == 403
    assert error["message"] == (
        'configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps" in API group "" '
        'in the namespace "default"'
    )
    for token in ("forged", "a.b.c", "e30.e30."):
        assert (await call(nobody, "GET", "/version", headers={"Authorization": f"Bearer {token}"}))[0] == 401


async def test_who_uses_a_generated_token_of_a_secret_is_warned(
    served: Served, admin: aiohttp.ClientSession, client: Client
):
    """With Kubernetes' words, in a header, and the Secret says today that it was used."""
    space = "/api/v1/namespaces/default"
    robot = {"metadata": {"name": "robot"}, "secrets": [{"name": "mine"}]}
    _, account = await call(admin, "POST", f"{space}/serviceaccounts", json=robot)
    token = served.core.token_key.sign(legacy_claims("default", "robot", account["metadata"]["uid"], "mine"))
    notes = {"kubernetes.io/service-account.name": "robot"}
    secret = {"metadata": {"name": "mine", "annotations": notes}, "type": LEGACY_TYPE}
    await call(admin, "POST", f"{space}/secrets", json={**secret, "stringData": {"token": token}})
    headers = {"Authorization": f"Bearer {token}"}
    async with client("").get("/version", headers=headers) as response:
        assert response.status == 200
        assert "auto-generated secret-based tokens" in response.headers["Warning"]

    async def is_labelled() -> bool:
        _, found = await call(admin, "GET", f"{space}/secrets/mine")
        return LAST_USED in found["metadata"].get("labels", {})

    await until(is_labelled)


async def test_a_token_lives_as_long_as_its_account(admin: aiohttp.ClientSession, client: Client):
    """It names the account; when the account goes, it proves nothing any more."""
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    await call(admin, "POST", accounts, json={"metadata": {"name": "robot"}})
    status, answer = await call(
        admin, "POST", f"{accounts}/robot/token", json={"spec": {"expirationSeconds": 600}}
    )
    assert status == 201
    headers = {"Authorization": f"Bearer {answer['status']['token']}"}
    review = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    _, me = await call(client(""), "POST", review, json={}, headers=headers)
    assert me["status"]["userInfo"]["username"] == "system:serviceaccount:default:robot"
    await call(admin, "DELETE", f"{accounts}/robot")
    await call(admin, "POST", accounts, json={"metadata": {"name": "robot"}})
    assert (await call(client(""), "POST", review, json={}, headers=headers))[0] == 401


async def test_a_token_request_is_checked(admin: aiohttp.ClientSession, client: Client):
    """Too short a life, an unknown pod, and a node that asks for what is not its own."""
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    await call(admin, "POST", accounts, json={"metadata": {"name": "robot"}})
    path = f"{accounts}/robot/token"
    status, error = await call(admin, "POST", path, json={"spec": {"expirationSeconds": 30}})
    assert (status, error["details"]["causes"][0]["field"]) == (422, "spec.expirationSeconds")
    bound = {"spec": {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "none"}}}
    assert (await call(admin, "POST", path, json=bound))[0] == 404
    assert (await call(client("node-1"), "POST", path, json=bound))[0] == 403


async def test_who_may_be_somebody_else(admin: aiohttp.ClientSession, client: Client):
    """The admin may; what somebody else may not do is then refused."""
    status, error = await call(admin, "GET", MAPS, headers={"Impersonate-User": "mallory"})
    assert (status, 'User "mallory" cannot list' in error["message"]) == (403, True)
    assert (await call(admin, "GET", "/api", headers={"Impersonate-Group": "x"}))[0] == 400
    status, error = await call(
        client("nobody"), "GET", "/api", headers={"Impersonate-User": "kubernetes-admin"}
    )
    assert (status, "cannot impersonate resource" in error["message"]) == (403, True)


async def test_nobody_grants_what_they_do_not_have(admin: aiohttp.ClientSession):
    """Who may write roles may write those only whose rules they have themselves."""
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    role = {"metadata": {"name": "writer"}, "rules": [{"verbs": ["create", "update"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"]}]}  # fmt: skip
    await call(admin, "POST", f"{rbac}/clusterroles", json=role)
    binding = {"metadata": {"name": "eve"}, "roleRef": {"kind": "ClusterRole", "name": "writer"}, "subjects": [{"kind": "User", "name": "eve"}]}  # fmt: skip
    await call(admin, "POST", f"{rbac}/clusterrolebindings", json=binding)
    eve = {"Impersonate-User": "eve"}
    mine = {
        "metadata": {"name": "mine"},
        "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}],
    }

    async def is_refused_for_what_it_grants() -> bool:  # once the binding is known, not for want of a role
        status, error = await call(admin, "POST", f"{rbac}/namespaces/default/roles", json=mine, headers=eve)
        assert status == 403
        return "attempting to grant RBAC permissions not currently held" in error["message"]

    await until(is_refused_for_what_it_grants)
    up = {"metadata": {"name": "up"}, "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"}, "subjects": [{"kind": "User", "name": "eve"}]}  # fmt: skip
    assert (await call(admin, "POST", f"{rbac}/namespaces/default/rolebindings", json=up, headers=eve))[
        0
    ] == 403


async def test_what_may_i_do(admin: aiohttp.ClientSession):
    """Reviews answer what the gate would."""
    review = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    asked = {"spec": {"resourceAttributes": {"verb": "list", "resource": "pods"}}}
    _, answer = await call(admin, "POST", review, json=asked)
    assert answer["status"] == {"allowed": True}
    _, answer = await call(admin, "POST", review, json=asked, headers={"Impersonate-User": "mallory"})
    assert answer["status"] == {"allowed": False}
    assert (await call(admin, "POST", review, json={"spec": {}}))[0] == 422


async def test_documents_are_not_sent_twice(admin: aiohttp.ClientSession):
    """Discovery and OpenAPI have a tag that clients come back with."""
    for path in ("/apis", "/openapi/v2", "/openapi/v3/apis/apps/v1"):
        async with admin.get(path) as response:
            tag = response.headers["ETag"]
        assert (await call(admin, "GET", path, headers={"If-None-Match": tag}))[0] == 304
    headers = {
        "Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    }
    async with admin.get("/apis", headers=headers) as response:
        assert response.headers["Content-Type"].endswith("as=APIGroupDiscoveryList")
        assert (await response.json(content_type=None))["kind"] == "APIGroupDiscoveryList"


@pytest.mark.parametrize("accept", ["application/json", f"{MEDIA_TYPE},application/json"])
async def test_a_watch_goes_over_a_websocket(admin: aiohttp.ClientSession, accept: str):
    """A message an event, text or binary by its form; the protocol offered is answered with; the end is a proper one."""
    await call(admin, "POST", MAPS, json=config_map("w", x="1" * 70_000))
    path = f"{MAPS}?watch=1&timeoutSeconds=5&fieldSelector=metadata.name%3Dw"
    headers = {"Accept": accept, "Origin": "https://127.0.0.1"}
    async with admin.ws_connect(path, headers=headers, protocols=["v1.example.com"]) as socket:
        assert socket.protocol == "v1.example.com"
        await socket.send_str("what a client sends is ignored")
        await call(admin, "DELETE", f"{MAPS}/w")
        messages = [await socket.receive() for _ in range(3)]
        assert (messages[2].type, socket.close_code) == (aiohttp.WSMsgType.CLOSE, 1000)
    if MEDIA_TYPE in accept:
        event_type = GetMessageClass(message_pool().FindMessageTypeByName(f"{META}.WatchEvent"))
        assert [event_type.FromString(message.data).type for message in messages[:2]] == ["ADDED", "DELETED"]
    else:
        events = [
            json.loads(message.data) for message in messages[:2] if message.type is aiohttp.WSMsgType.TEXT
        ]
        assert [(event["type"], event["object"]["metadata"]["name"]) for event in events] == [
            ("ADDED", "w"),
            ("DELETED", "w"),
        ]


async def test_a_watch_over_a_websocket_fails_as_any_other(admin: aiohttp.ClientSession):
    """Before its beginning with a status, and with the client's leaving it ends."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await admin.ws_connect(f"{MAPS}?watch=1&resourceVersion=x")
    assert caught.value.status == 422
    async with admin.ws_connect(f"{MAPS}?watch=1") as socket:
        await socket.close()
    async with admin.ws_connect(f"{MAPS}?watch=1&timeoutSeconds=-1&resourceVersion=1") as socket:
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE


def as_protocol(token: str) -> str:
    return f"base64url.bearer.authorization.k8s.io.{urlsafe_b64encode(token.encode()).decode().rstrip('=')}"


async def test_a_token_may_come_as_a_protocol(admin: aiohttp.ClientSession, client: Client):
    """As from a browser; it is never answered with, and another protocol has to stand beside it."""
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    await call(admin, "POST", accounts, json={"metadata": {"name": "viewer"}})
    body = {"metadata": {"name": "viewer"}, "roleRef": ROLE, "subjects": [SUBJECT]}
    await call(admin, "POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", json=body)
    _, made = await call(admin, "POST", f"{accounts}/viewer/token", json={"spec": {}})
    token, path = made["status"]["token"], f"{MAPS}?watch=1&timeoutSeconds=5&resourceVersion=1"
    nobody = client("")
    async with nobody.ws_connect(path, protocols=[as_protocol(token), "v1.example.com"]) as socket:
        assert socket.protocol == "v1.example.com"
    for wrong, code in (
        ([as_protocol(token)], 401),
        ([as_protocol("x"), "a"], 401),
        ([as_protocol(token), as_protocol(token), "a"], 401),
        (["base64url.bearer.authorization.k8s.io.%", "a"], 401),
        (["a"], 403),
    ):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await nobody.ws_connect(path, protocols=wrong)
        assert caught.value.status == code

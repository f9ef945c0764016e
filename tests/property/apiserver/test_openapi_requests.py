"""What our own OpenAPI documents say can be asked: every operation, with its parameters and its bodies, is answered as they say.

As `schemathesis` does, without its server: requests are drawn from the documents, by a seed.
"""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from apiserver.rest.door import Door
from apiserver.rest.http_request import HttpRequest
from apiserver.rest.limits import Limits
from apiserver.rest.protobuf_body import protobuf_to_json
from apiserver.rest.protobuf_messages import MEDIA_TYPE
from machinery.process.tls import Peer
from tests.support.apiserver import RegistryBench, running_registry
from tests.support.both_doors import rest_services
from tests.support.examples import first_seeds

MASTER = Peer("kubernetes-admin", ("system:masters",))
METHODS = ("get", "post", "put", "patch", "delete")
REQUESTS = 150  # of each seed
ALLOWED_FAULTS = {501, 503, 504}  # not built; a proxy without a node; a revision that is still to come
TEXTS = [
    "",
    "a",
    "web",
    "default",
    "A B",
    "x" * 70,
    "1",
    "true",
    "a=b",
    "metadata.name=a",
    "10.0.0.1",
    "500m",
    "All",
    "ä",
]
NUMBERS = [-1, 0, 1, 80, 3_000, 2**31, 2**63]


class Operation(NamedTuple):
    path: str
    method: str
    stated: dict[str, Any]
    in_path: list[str]
    schemas: dict[str, Any]


async def documents(door: Door) -> list[Operation]:
    """Every operation that the index leads to."""
    found = []
    for address in (await fetched(door, "/openapi/v3"))["paths"].values():
        document = await fetched(door, address["serverRelativeURL"])
        schemas = document["components"]["schemas"]
        for path, item in document["paths"].items():
            names = [each["name"] for each in item["parameters"]]
            found += [Operation(path, each, item[each], names, schemas) for each in METHODS if each in item]
    return found


async def fetched(door: Door, path: str) -> Any:
    reply = await door.answer(HttpRequest("GET", path, headers({}), MASTER, b""))
    assert reply.status == 200
    return json.loads(reply.body)


def headers(given: dict[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(given))


def drawn(operation: Operation, random: Random) -> HttpRequest:
    """A request that the document says can be made."""
    path = operation.path
    for name in operation.in_path:
        texts = (
            ["default", "default", "kube-system"]
            if name == "namespace"
            else ["a", "default", "web", "A b", "..x"]
        )
        path = path.replace(f"{{{name}}}", quote(random.choice(texts), safe=""))
    chosen = [each for each in operation.stated["parameters"] if random.random() < 0.15]
    query = "&".join(
        f"{each['name']}={quote(str(value(each['schema'], operation.schemas, random, 0)))}" for each in chosen
    )
    given = {"Accept": random.choice(accepted(operation))}
    body = b""
    if "requestBody" in operation.stated:
        forms = operation.stated["requestBody"]["content"]
        given["Content-Type"] = random.choice(list(forms))
        schema = forms[given["Content-Type"]]["schema"]
        body = json.dumps(an_object(schema, operation, given["Content-Type"], random)).encode()
    method = operation.method.upper()
    return HttpRequest(method, f"{path}?{query}" if query else path, headers(given), MASTER, body)


def accepted(operation: Operation) -> list[str]:
    return [form for form in operation.stated["responses"]["200"]["content"] if "stream" not in form]


def an_object(schema: Any, operation: Operation, form: str, random: Random) -> Any:
    if form == "application/json-patch+json":
        return [
            {
                "op": random.choice(["add", "remove", "test"]),
                "path": random.choice(["/spec", "/metadata/labels/a"]),
                "value": {},
            }
        ]
    kind = operation.stated["x-kubernetes-group-version-kind"]
    made = value(schema, operation.schemas, random, 0)
    if not isinstance(made, dict) or operation.method == "delete":
        return made if isinstance(made, dict) else {}
    group_version = f"{kind['group']}/{kind['version']}" if kind["group"] else kind["version"]
    meta = {**(made.get("metadata") or {}), "name": random.choice(["a", "web", "b"])}
    meta.pop("finalizers", None)
    return {**made, "apiVersion": group_version, "kind": kind["kind"], "metadata": meta}


def value(schema: dict[str, Any], schemas: dict[str, Any], random: Random, depth: int) -> Any:
    """A value that fits a schema."""
    reference = schema.get("$ref") or (schema.get("allOf") or [{}])[0].get("$ref")
    if reference:
        return value(schemas[reference.rpartition("/")[2]], schemas, random, depth)
    if "oneOf" in schema:
        return value(random.choice(schema["oneOf"]), schemas, random, depth)
    inner = schema.get("properties", {})
    made = {
        "object": lambda: {
            name: value(inner[name], schemas, random, depth + 1)
            for name in inner
            if random.random() < max(0.05, 0.6 - depth / 8)
        },
        "array": lambda: [
            value(schema["items"], schemas, random, depth + 1) for _ in range(random.randint(0, 2))
        ],
        "integer": lambda: random.choice(NUMBERS),
        "number": lambda: random.choice(NUMBERS),
        "boolean": lambda: random.random() < 0.5,
    }
    return made.get(schema.get("type", ""), lambda: random.choice(TEXTS))()


def check(reply: Any, request: HttpRequest, operation: Operation) -> None:
    """Check an answer: its status, its media type, and that it says what it is.

    Raises:
        AssertionError: it is not what the document says.
    """
    assert reply.status < 500 or reply.status in ALLOWED_FAULTS
    content_type = dict(reply.headers)["Content-Type"]
    if reply.status < 300:
        assert content_type == request.accept
        if "schema" not in operation.stated["responses"]["200"]["content"].get(content_type, {}):
            return
    if content_type in {"application/json", MEDIA_TYPE} and not reply.encoding:
        body = protobuf_to_json(reply.body) if content_type == MEDIA_TYPE else reply.body
        found = json.loads(body)
        assert found["kind"]
        assert found["kind"] != "Status" or found.get("code", reply.status) == reply.status


@pytest.mark.parametrize("seed", first_seeds(8, quick=1))
def test_what_the_documents_offer_is_answered_as_they_say(seed: int) -> None:
    """No answer is the server's fault; what is done comes in the media type that was asked for; a failure is a Status."""
    asyncio.run(scenario(Random(seed)))


async def scenario(random: Random) -> None:
    async with running_registry() as bench:
        door = Door(rest_services(bench, bench.core.authenticator), Limits())
        await tried(door, bench, random)


async def tried(door: Door, bench: RegistryBench, random: Random) -> None:
    operations = await documents(door)
    assert len(operations) > 300
    served: set[int] = set()
    for operation in random.sample(operations, REQUESTS):
        if "content" not in operation.stated["responses"]["200"]:
            continue
        request = drawn(operation, random)
        if door.lasts(request) or request.target is None:
            continue
        reply = await door.answer(request)
        served.add(reply.status)
        try:
            check(reply, request, operation)
        except (AssertionError, KeyError) as error:
            text = f"{request.method} {request.raw_path}?{request.raw_query} {dict(request.headers)} {request.body!r}"
            raise AssertionError(f"{text} got {reply.status} {reply.headers} {reply.body[:500]!r}") from error
    assert {200, 404, 422} <= served

"""OpenAPI of extension servers that offer version 2 alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from apiserver.aggregation.backends import Backends, Fetched
from apiserver.aggregation.openapi import OpenApiOfOthers
from apiserver.aggregation.services import ApiServices
from apiserver.core.aggregation.heads import Head
from apiserver.core.aggregation.openapi_v3 import in_version_3
from machinery.process.clock import WALL

PATH = "apis/example.com/v1"
TOY = {"$ref": "#/definitions/Toy"}
MOVED = {"$ref": "#/components/schemas/Toy"}
JSON = "application/json"
OLDER: dict[str, Any] = {
    "swagger": "2.0",
    "info": {"title": "toys", "version": "1"},
    "consumes": [JSON],
    "parameters": {"pretty": {"name": "pretty", "in": "query", "type": "string", "uniqueItems": True}},
    "paths": {
        f"/{PATH}/toys": {
            "parameters": [{"$ref": "#/parameters/pretty"}],
            "post": {
                "operationId": "createToy",
                "x-kubernetes-action": "post",
                "produces": [JSON, "application/yaml"],
                "parameters": [
                    {"name": "body", "in": "body", "required": True, "schema": TOY},
                    {"name": "dryRun", "in": "query", "description": "Whether to.", "type": "string"},
                ],
                "responses": {
                    "201": {"description": "Created", "schema": TOY},
                    "401": {"description": "Unauthorized"},
                },
            },
        }
    },
    "definitions": {"Toy": {"type": "object", "properties": {"parts": {"type": "array", "items": TOY}}}},
}
NEWER: dict[str, Any] = {
    "openapi": "3.0.0",
    "info": {"title": "toys", "version": "1"},
    "paths": {
        f"/{PATH}/toys": {
            "parameters": [
                {"name": "pretty", "in": "query", "schema": {"type": "string", "uniqueItems": True}}
            ],
            "post": {
                "operationId": "createToy",
                "x-kubernetes-action": "post",
                "parameters": [
                    {
                        "name": "dryRun",
                        "in": "query",
                        "description": "Whether to.",
                        "schema": {"type": "string"},
                    }
                ],
                "requestBody": {"required": True, "content": {JSON: {"schema": MOVED}}},
                "responses": {
                    "201": {
                        "description": "Created",
                        "content": {JSON: {"schema": MOVED}, "application/yaml": {"schema": MOVED}},
                    },
                    "401": {"description": "Unauthorized"},
                },
            },
        }
    },
    "components": {
        "schemas": {"Toy": {"type": "object", "properties": {"parts": {"type": "array", "items": MOVED}}}}
    },
}


def test_a_document_of_version_2_says_the_same_in_version_3() -> None:
    """Bodies, media types and parameters stand where version 3 has them."""
    made = in_version_3(msgspec.json.encode(OLDER))
    assert made is not None
    assert msgspec.json.decode(made) == NEWER


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"paths":7}',
        b'{"paths":{"/a":{"parameters":[{"$ref":"#/parameters/gone"}]}}}',
        b"[" * 5000,
    ],
    ids=["empty", "list", "number", "reference", "deep"],
)
def test_what_makes_no_sense_is_left_out(body: bytes) -> None:
    """Instead of failing who asks."""
    assert in_version_3(body) is None


async def test_a_server_without_an_index_is_in_the_index() -> None:
    """Under its version, by a hash of its document; where it does not answer, it is not."""
    answers = {"/openapi/v3": Fetched(404, b""), "/openapi/v2": Fetched(200, msgspec.json.encode(OLDER))}
    head = SimpleNamespace(name="v1.example.com", path=f"/{PATH}", form=1, is_available=True)

    async def fetch(_head: Head, path: str, _within_s: float) -> Fetched:
        return answers.get(path, Fetched(404, b""))

    services = cast("ApiServices", SimpleNamespace(remote={("example.com", "v1"): head}))
    others = OpenApiOfOthers(services, cast("Backends", SimpleNamespace(fetch=fetch)), WALL)
    index = await others.index()
    assert index[PATH].startswith(f"/openapi/v3/{PATH}?hash=")
    assert msgspec.json.decode(await others.document(PATH) or b"") == NEWER
    answers["/openapi/v2"] = Fetched(403, b"")
    head.form = 2
    assert await others.index() == {}
    assert await others.document(PATH) is None

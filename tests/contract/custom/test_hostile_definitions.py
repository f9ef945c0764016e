"""Definitions and objects that are large, deep or explode: refused or served, and the event loop is never kept for long."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from kubarium.identity.pki import Pki
from machinery.client.api import Api
from tests.support.apiserver import Served, serving
from tests.support.custom_resources import (
    CRDS,
    STRING,
    TOYS,
    Custom,
    definition,
    established,
    refusal,
    toy,
    version,
)
from tests.support.loop_steps import measured_steps

Json = dict[str, Any]


@pytest.fixture
async def served(pki: Pki) -> AsyncIterator[Served]:
    """An apiserver on a store in memory."""
    async with serving(pki) as running:
        yield running


@pytest.fixture
async def api(served: Served) -> AsyncIterator[Api]:
    """The admin's connection over gRPC."""
    connection = served.connect("grpc")
    yield connection
    await connection.aclose()


def with_spec(spec: Json) -> Custom:
    return definition(version(schema={"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}))


def deep(levels: int) -> Json:
    schema: Json = STRING
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


RULE = {"x-kubernetes-validations": [{"rule": "self.size() < 5"}]}
MANY: Json = {
    "type": "object",
    "properties": {
        f"field{index}": {
            "type": "string",
            "description": "x" * 60,
            "maxLength": 9,
            **(RULE if index % 20 == 0 else {}),
        }
        for index in range(4_000)
    },
}
ALTERNATIVES: Json = {"anyOf": [{"allOf": [{"minLength": 1}] * 40} for _ in range(40)]}


@pytest.mark.parametrize(
    ("spec", "refused"),
    [
        (MANY, ""),
        ({**MANY, "x-kubernetes-validations": [{"rule": "self.field1 == self.field2 && " * 500 + "true"}]}, ""),
        (deep(100), "must not be nested more than 80 schemas deep"),
        ({"type": "string", "pattern": "(a{1000}){1000}"}, "must be a valid regular expression"),
        ({"type": "object", "properties": {"field1": {"type": "string", "pattern": "^(a+)+$", **ALTERNATIVES}}}, ""),
        ({"type": "string", "x-kubernetes-validations": [{"rule": "(" * 5_000 + ")" * 5_000}]}, "compilation failed"),
        ({"type": "string", "x-kubernetes-validations": [{"rule": "self.matches('(a{1000}){1000}')"}]}, "compilation failed"),
        ({"type": "array", "items": {"type": "string", "description": "x" * 3_200_000}}, "Request entity too large"),
        ({"type": "array", "items": {"type": "string", "description": "x" * 2_000_000}}, "the store takes at most"),
    ],
    ids=["many", "long-rule", "deep", "pattern", "alternatives", "deep-rule", "rule-pattern", "body", "store"],
)  # fmt: skip
async def test_a_definition_that_explodes(
    api: Api, monkeypatch: pytest.MonkeyPatch, spec: Json, refused: str
) -> None:
    """It is refused in words that say why, or served like any other."""
    made = with_spec(spec)
    with measured_steps(monkeypatch) as steps:
        if refused:
            error = await refusal(api.create(CRDS, made, timeout_s=60))
            assert (error.code in {400, 413, 422}, refused in error.message) == (True, True), error.message[
                :500
            ]
        else:
            await api.create(CRDS, made, timeout_s=60)
            await established(api)
            value: Any = (
                {"field1": "a", "field2": "a", "field40": "ok"} if "properties" in spec else "a" * 100_000
            )
            body = Custom(metadata=toy().metadata, spec=value)
            outcome = await api.create(TOYS, body)
            assert outcome.metadata.uid
            assert (await api.list(TOYS)).items[0].metadata.name == "t"
    steps.check(refused or "a large definition")

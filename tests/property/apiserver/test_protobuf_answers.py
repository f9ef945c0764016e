"""What is answered as protobuf says the same as JSON, for objects of every type that Kubernetes publishes."""

from __future__ import annotations

import json
from functools import cache
from random import Random
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from apiserver import schemas
from apiserver.core.schema import ListOf, MapOf, Scalar, Shape, Struct
from apiserver.rest.protobuf_answers import Element, element, object_body
from apiserver.rest.protobuf_body import protobuf_to_json
from apiserver.rest.protobuf_messages import message_names, message_of
from apiserver.rest.protobuf_parts import object_writer
from apiserver.rest.protobuf_writer import message_writer, sized_field
from tests.support.examples import examples

_TEXTS = ["", "a", "ä€😀", "x" * 127, "x" * 128, "x" * 20_000, "line\nline", "0", "true"]
_SCALARS: dict[Scalar, list[Any]] = {
    Scalar.STRING: _TEXTS,
    Scalar.INT32: [0, 1, 127, 128, 300, 2**31 - 1, -1, -(2**31)],
    Scalar.INT64: [0, 1, 2**63 - 1, -1, -(2**63)],
    Scalar.NUMBER: [0.5, -1.5, 0.0, 1e300],
    Scalar.BOOLEAN: [True, False],
    Scalar.QUANTITY: ["0", "-1", "1500u", "1Gi", "500m"],
    Scalar.INT_OR_STRING: [0, 80, 2**31 - 1, -1, "http", "", "30%"],
    Scalar.TIME: ["2026-01-01T00:00:00Z", "0001-01-01T00:00:01Z", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59Z"],
    Scalar.MICRO_TIME: ["2026-01-01T00:00:00.000000Z", "1969-12-31T23:59:59.999999Z"],
    Scalar.BYTES: ["", "AP8=", "YWFh" * 50],
    Scalar.ANYTHING: [{"a": {"b": [1, None, "ä"]}}, {}],
}  # fmt: skip
_UNKNOWN_BUT_EMPTY = b"\xf8\x3e\x00"  # a field for which a message is read field by field
_TYPE_META = ("apiVersion", "kind")  # messages inside of others do not say their types


def a_value(shape: Shape, random: Random, depth: int) -> Any:
    """A value of a shape; no list and no map is empty, which protobuf cannot say."""
    if isinstance(shape, Struct):
        share = max(0.05, 0.7 - depth / 8)
        without = _TYPE_META if "x-kubernetes-group-version-kind" in shape.definition else ()
        chosen = [name for name in shape.fields if random.random() < share and name not in without]
        return {name: a_value(shape.fields[name], random, depth + 1) for name in chosen}
    if isinstance(shape, ListOf):
        return [a_value(shape.item, random, depth + 1) for _ in range(random.randint(1, 2))]
    if isinstance(shape, MapOf):
        keys = random.sample(["a", "cpu", "example.com/gpu", ""], random.randint(1, 2))
        return {key: a_value(shape.item, random, depth + 1) for key in keys}
    return random.choice(_SCALARS[shape])


@cache
def types() -> dict[tuple[str, str], str]:
    """Every type that is an object with a message, and its definition."""
    found = {}
    for name, definition in json.loads(schemas.document())["$defs"].items():
        for each in definition.get("x-kubernetes-group-version-kind") or ():
            api_version = f"{each['group']}/{each['version']}" if each["group"] else each["version"]
            if each["kind"] == "CustomResourceDefinition":  # its schemas are values of a choice of types
                continue
            is_object = "metadata" in definition["properties"] and "items" not in definition["properties"]
            if is_object and message_of(api_version, each["kind"]) in message_names():
                found[api_version, each["kind"]] = name
    return found


@examples(2)
@given(st.integers(0, 2**32))
def test_what_is_written_is_read_as_the_same(seed: int):
    """By the descriptions of the messages, which the writer did not make; part by part as at once, both ways."""
    random = Random(seed)
    for (api_version, kind), definition in types().items():
        obj = a_value(schemas.load().struct(definition), random, 0)
        obj = {**obj, "apiVersion": api_version, "kind": kind}
        data, name = msgspec.json.encode(obj), message_of(api_version, kind)
        made, message = element(data), object_writer(name)(data)
        assert message == message_writer(name)(obj) == object_writer(name)(data)
        assert json.loads(protobuf_to_json(object_body(made))) == obj
        unusual = Element(made.type_meta, sized_field(2)(message + _UNKNOWN_BUT_EMPTY))
        assert json.loads(protobuf_to_json(object_body(unusual))) == obj
    assert len(types()) > 90

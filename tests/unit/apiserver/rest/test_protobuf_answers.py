"""Answers in protobuf: objects, lists, events and errors, read as a client in Go reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.unknown_fields import UnknownFieldSet

from apiserver.objects import CachedObject
from apiserver.request import ListReply, SharedEvent, SharedItems
from apiserver.rest import protobuf_answers
from apiserver.rest.gzip_runs import Runs
from apiserver.rest.lists import protobuf_list_reply
from apiserver.rest.negotiation import META_V1BETA1
from apiserver.rest.protobuf_answers import Elements, element, metadata_element, object_body
from apiserver.rest.protobuf_body import protobuf_to_json
from apiserver.rest.protobuf_messages import MAGIC, META, RUNTIME, message_pool
from apiserver.rest.protobuf_parts import Remembered
from apiserver.rest.protobuf_writer import message_writer, sized_field
from machinery.model.errors import NotAcceptable, NotFound
from machinery.model.requests import EventType


def read(name: str, data: bytes) -> Any:
    return GetMessageClass(message_pool().FindMessageTypeByName(name)).FromString(data)


def config_map(name: str, **more: Any) -> bytes:
    meta = {"name": name, "resourceVersion": "7"}
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, **more}).encode()


def cached(*names: str) -> SharedItems:
    return SharedItems([CachedObject(name, config_map(name), 7, "", {}, {}) for name in names])


def events(stream: bytes) -> Iterator[Any]:
    """The events of a watch, which four bytes of length precede."""
    while stream:
        size = int.from_bytes(stream[:4], "big")
        yield read(f"{META}.WatchEvent", stream[4 : 4 + size])
        stream = stream[4 + size :]


def jsons(page: ListReply) -> list[bytes]:
    return [item.json for item in page.items]


async def listed(items: SharedItems, elements: Elements, **options: Any) -> Any:
    page = ListReply("v1", "ConfigMap", items, 9, "more", 3)
    found = await protobuf_list_reply(
        page, elements, Runs(), metadata_version="", accepts_gzip=False, **options
    )
    assert found.body.startswith(MAGIC)
    envelope = read(f"{RUNTIME}.Unknown", found.body[len(MAGIC) :])
    assert (envelope.typeMeta.apiVersion, envelope.typeMeta.kind) == ("v1", "ConfigMapList")
    return read("k8s.io.api.core.v1.ConfigMapList", envelope.raw)


async def test_a_list_has_its_metadata_and_its_items():
    """Whether they were written before or not; an empty one has none."""
    items, elements = cached("a", "b"), Elements()
    for _ in range(3):
        found = await listed(items, elements)
        assert [each.metadata.name for each in found.items] == ["a", "b"]
        meta = found.metadata
        assert (meta.resourceVersion, getattr(meta, "continue"), meta.remainingItemCount) == ("9", "more", 3)
    assert list((await listed(cached(), elements)).items) == []


async def test_an_object_is_written_once_for_all_who_read_it():
    """Alone, in a list, in an event: by its bytes, of which the watch cache has one copy."""
    elements, items = Elements(), cached("a", "b")
    alone = elements.get(items[0].json)
    assert elements.get(items[0].json) is alone
    assert (await elements.messages(items, keep=True))[0] is alone.message
    assert elements.get(items[1].json) is elements.get(items[1].json)


def test_what_a_write_is_answered_with_is_what_watchers_get():
    """Whoever is first has it written; those who only write are remembered for a short while."""
    elements = Elements()
    answered = elements.get_written(config_map("a"))
    assert elements.get(config_map("a")) is answered
    assert elements.get_written(config_map("a")) is answered
    latest = [elements.get_written(config_map(f"b{number}")) for number in range(100)]
    assert elements.get(config_map("b99")) is latest[99]
    assert elements.get(config_map("b0")) is not latest[0]


ENTRY = {"manager": "m", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {"f:a": {}}}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"metadata": {"name": "a", "managedFields": [ENTRY]}}, {"metadata": {"name": "a"}}),
        ({"metadata": {"managedFields": None, "name": "a"}, "spec": None}, {"metadata": {"name": "a"}}),
        ({"metadata": None, "status": {}}, {"status": {}}),
        ({"spec": {"nodeName": "a"}, "metadata": {"labels": {"a": "b"}}}, {"spec": {"nodeName": "b"}}),
    ],
)
def test_an_object_is_written_anew_where_a_part_has_changed(before: dict[str, Any], after: dict[str, Any]):
    """Whatever was remembered of it: as the whole of it is."""
    for said in (before, after, before):
        made = element(msgspec.json.encode({"apiVersion": "v1", "kind": "Pod", **said}))
        assert made.message == sized_field(2)(message_writer("k8s.io.api.core.v1.Pod")(said))


def test_parts_are_forgotten_where_there_is_no_room():
    """And written again."""
    written: list[bytes] = []
    remember = Remembered(budget=8).writer(lambda part: written.append(part) or part * 3)
    assert [remember(msgspec.Raw(part)) for part in (b"1", b"2", b"1", b"3", b"1")] == [
        b"111",
        b"222",
        b"111",
        b"333",
        b"111",
    ]
    assert written == [b"1", b"2", b"3", b"1"]


async def test_no_more_is_kept_than_there_is_room_for():
    """The oldest goes first; what is read from the store, for one reader, is not kept at all."""
    one = config_map("a", data={"x": "y" * 1000})
    elements = Elements(budget=5000)
    made = [elements.get(one.replace(b'"a"', b'"%d"' % number)) for number in range(10)]
    assert elements.get(one.replace(b'"a"', b'"9"')) is made[9]
    assert elements.get(one.replace(b'"a"', b'"0"')) is not made[0]
    items = cached("p")
    written = await elements.messages(items, keep=False)
    assert (await elements.messages(items, keep=False))[0] is not written[0]


def test_an_event_is_a_message_behind_its_length():
    """The object in it is a whole answer."""
    event = SharedEvent(EventType.ADDED, config_map("a", data={"k": "v"}), "", 7)
    message = protobuf_answers.event_message(event, element(event.json))
    failed = protobuf_answers.error_message(NotFound('pods "x" not found', kind="pods", name="x"))
    stream = b"".join(map(protobuf_answers.delimited, (message, message, failed)))
    first, second, last = events(stream)
    assert (first.type, second) == ("ADDED", first)
    assert json.loads(protobuf_to_json(first.object.raw)) == json.loads(event.json)
    status = json.loads(protobuf_to_json(last.object.raw))
    assert (last.type, status["kind"], status["code"], status["details"]["name"]) == (
        "ERROR",
        "Status",
        404,
        "x",
    )


def test_metadata_is_a_message_for_any_kind():
    """Also of a custom resource, which has none of its own; a Status stays what it is."""
    widget = b'{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"a"},"spec":{"x":1}}'
    envelope = read(f"{RUNTIME}.Unknown", object_body(metadata_element(widget))[len(MAGIC) :])
    assert (envelope.typeMeta.apiVersion, envelope.typeMeta.kind) == (
        "meta.k8s.io/v1",
        "PartialObjectMetadata",
    )
    assert read(f"{META}.PartialObjectMetadata", envelope.raw).metadata.name == "a"
    status = b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success"}'
    assert metadata_element(status) == element(status)
    with pytest.raises(NotAcceptable, match=r"Widget of example\.com/v1 has no protobuf form"):
        element(widget)


async def test_metadata_has_an_older_version():
    """Its list has the two fields the other way round."""
    page, elements = ListReply("v1", "ConfigMap", cached("a", "b"), 9), Elements(is_metadata=True)
    made = protobuf_answers.in_version(elements.get(page.items[0].json), META_V1BETA1)
    alone = read(f"{RUNTIME}.Unknown", object_body(made)[len(MAGIC) :])
    reply = await protobuf_list_reply(
        page, elements, Runs(), metadata_version=META_V1BETA1, accepts_gzip=True
    )
    listed = read(f"{RUNTIME}.Unknown", reply.body[len(MAGIC) :])
    assert (alone.typeMeta.apiVersion, listed.typeMeta.apiVersion) == (META_V1BETA1, META_V1BETA1)
    items = [
        read(f"{META}.PartialObjectMetadata", each.message[2:]) for each in map(elements.get, jsons(page))
    ]
    found = [(field.field_number, field.data) for field in UnknownFieldSet(Empty.FromString(listed.raw))]
    assert [(1, each.SerializeToString()) for each in items] == found[:-1]
    assert found[-1][0] == 2
    assert read(f"{META}.ListMeta", found[-1][1]).resourceVersion == "9"


@pytest.mark.parametrize(
    "wrong",
    [{"data": {"a": 1}}, {"binaryData": {"a": "?"}}, {"immutable": {}, "data": "x"}, {"metadata": "x"}],
)
def test_a_value_that_its_field_cannot_have_is_told(wrong: dict[str, Any]):
    """Another program may have written it into the store; JSON shows it."""
    with pytest.raises(NotAcceptable, match=r"ConfigMap .*ask for application/json"):
        element(config_map("a", **wrong))


def test_what_has_no_field_and_what_is_null_is_left_out():
    """As a program in Go has no place for it."""
    obj = config_map("a", data={"k": "v"}, other=[1], immutable=None)
    assert json.loads(protobuf_to_json(object_body(element(obj)))) == json.loads(
        config_map("a", data={"k": "v"})
    )


SCHEMAS = [
    {"type": "object", "properties": {"a": {"type": "string", "default": "x", "enum": ["x", None, 1]}}},
    {"items": {"type": "integer", "minimum": 0.5, "x-kubernetes-int-or-string": True}},
    {"items": [{"$ref": "#/a"}, {"maxLength": 0}], "additionalItems": False},
    {"additionalProperties": True, "x-kubernetes-list-map-keys": ["a"]},
    {"additionalProperties": {"x-kubernetes-preserve-unknown-fields": True}},
    {"dependencies": {"a": ["b", "c"], "d": {"not": {"type": "null"}}}, "$schema": "x"},
    {"x-kubernetes-validations": [{"rule": "self.a", "optionalOldSelf": True, "fieldPath": ".a"}]},
    {"properties": {"deep": {"properties": {"deeper": {"oneOf": [{"allOf": [{"default": {"a": [1]}}]}]}}}}},
]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_schema_is_written_and_read(schema: dict[str, Any]):
    """Also where it stands for a boolean, a list of schemas or one of names."""
    version = {"name": "v1", "served": True, "storage": False, "schema": {"openAPIV3Schema": schema}}
    obj = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "versions": [version]},
    }
    assert json.loads(protobuf_to_json(object_body(element(json.dumps(obj).encode())))) == obj

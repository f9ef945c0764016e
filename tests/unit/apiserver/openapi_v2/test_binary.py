"""What a reader of the protobuf message sees is what the JSON document says."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import msgspec
import pytest

from apiserver.core.catalogue import Catalogue
from apiserver.core.kinds import ALL
from apiserver.core.openapi_v2_binary import encode
from apiserver.rest.negotiation import DOCUMENTS, DOCUMENTS_V2, OPENAPI_V2_TYPE, Encoding, negotiate
from apiserver.rest.openapi import Documents
from apiserver.schemas import document
from machinery.model.errors import NotAcceptable
from machinery.model.k8s import served

Reader = Callable[[Any], Any]


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a varint; give it and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not data[at - 1] & 0x80:
            return value, at


def records(data: bytes) -> Iterator[tuple[int, Any]]:
    """Parse a message into the numbers and values of its fields."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        match tag & 7:
            case 0:
                value, at = varint(data, at)
                yield tag >> 3, value
            case 1:
                yield tag >> 3, struct.unpack("<d", data[at : at + 8])[0]
                at += 8
            case 2:
                size, at = varint(data, at)
                yield tag >> 3, data[at : at + size]
                at += size


def text(data: bytes) -> str:
    """Read a string."""
    return data.decode()


def signed(value: int) -> int:
    """Read an int64."""
    return value - (1 << 64) if value >> 63 else value


def anything(data: bytes) -> Any:
    """Read an Any, whose field 2 is YAML."""
    ((number, written),) = records(data)
    assert number == 2
    return msgspec.yaml.decode(written)


def only(*readers: tuple[int, Reader]) -> Reader:
    """Read a message of which one field is set."""
    known = dict(readers)

    def read(data: bytes) -> Any:
        ((number, value),) = records(data)
        return known[number](value)

    return read


def listed(reader: Reader) -> Reader:
    """Read a message that is a list in field 1."""
    return lambda data: [reader(value) for _, value in records(data)]


def named(entries: int, reader: Reader) -> Reader:
    """Read a message that is a map: its entries have a name (1) and a value (2)."""

    def read(data: bytes) -> dict[str, Any]:
        found = [dict(records(value)) for number, value in records(data) if number == entries]
        return {text(entry[1]): reader(entry[2]) for entry in found}

    return read


def message(**fields: tuple[int, Reader]) -> Reader:
    """Read a message; lists are named with a trailing s_, and `x` are the vendor's extensions."""
    by_number = {number: (name, reader) for name, (number, reader) in fields.items()}

    def read(data: bytes) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for number, value in records(data):
            name, reader = by_number[number]
            if name == "x":
                found |= named(1, anything)(b"\x0a" + size_of(value) + value)
            elif name.endswith("_"):
                found.setdefault(name.removesuffix("_"), []).append(reader(value))
            else:
                found[name] = reader(value)
        return {"$ref" if name == "ref" else name: value for name, value in found.items()}

    return read


def size_of(data: bytes) -> bytes:
    """Write a length as a varint."""
    size, written = len(data), b""
    while size > 0x7F:
        written += bytes([size & 0x7F | 0x80])
        size >>= 7
    return written + bytes([size])


def schema(data: bytes) -> Any:
    """Read a Schema."""
    return message(
        ref=(1, text),
        format=(2, text),
        title=(3, text),
        description=(4, text),
        default=(5, anything),
        maximum=(7, float),
        minimum=(9, float),
        maxLength=(11, signed),
        minLength=(12, signed),
        pattern=(13, text),
        uniqueItems=(16, bool),
        minProperties=(18, signed),
        required_=(19, text),
        enum_=(20, anything),
        additionalProperties=(21, only((1, schema), (2, bool))),
        type=(22, only((1, text))),
        items=(23, only((1, schema))),
        allOf_=(24, schema),
        properties=(25, named(1, schema)),
        readOnly=(27, bool),
        x=(31, anything),
    )(data)


QUERY = message(
    required=(1, bool), description=(3, text), name=(4, text), type=(6, text), **{"in": (2, text)}
)
PATH = message(required=(1, bool), name=(4, text), type=(5, text), **{"in": (2, text)})
BODY = message(name=(2, text), required=(4, bool), schema=(5, schema), **{"in": (3, text)})
PARAMETER = only((1, only((1, BODY), (2, only((3, QUERY), (4, PATH))))))
RESPONSE = only((1, message(description=(1, text), schema=(2, only((1, schema))), x=(5, anything))))
OPERATION = message(
    tags_=(1, text),
    description=(3, text),
    operationId=(5, text),
    produces_=(6, text),
    consumes_=(7, text),
    parameters_=(8, PARAMETER),
    responses=(9, named(1, RESPONSE)),
    schemes_=(10, text),
    x=(13, anything),
)
PATH_ITEM = message(
    get=(2, OPERATION),
    put=(3, OPERATION),
    post=(4, OPERATION),
    delete=(5, OPERATION),
    options=(6, OPERATION),
    head=(7, OPERATION),
    patch=(8, OPERATION),
    parameters_=(9, PARAMETER),
)
API_KEY = message(type=(1, text), name=(2, text), description=(4, text), **{"in": (3, text)})
DOCUMENT = message(
    swagger=(1, text),
    info=(2, message(title=(1, text), version=(2, text))),
    paths=(8, named(2, PATH_ITEM)),
    definitions=(9, named(1, schema)),
    security_=(12, named(1, listed(text))),
    securityDefinitions=(13, named(1, only((2, API_KEY)))),
)


@cache
def shown() -> Any:
    """Return the document that the apiserver serves as JSON."""
    return msgspec.json.decode(Documents(Catalogue(ALL, served.REVIEWS), document).v2())


@cache
def read_back() -> Any:
    """Return the document as a reader of the protobuf message sees it."""
    return DOCUMENT(Documents(Catalogue(ALL, served.REVIEWS), document).v2_binary())


def without_empty_lists(value: Any) -> Any:
    """Leave out empty lists: a message cannot tell them from none."""
    if isinstance(value, dict):
        return {key: without_empty_lists(each) for key, each in value.items() if each != []}
    return [without_empty_lists(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("part", ["swagger", "info", "definitions"])
def test_nothing_is_lost(part: str):
    """Every definition comes back with all that the JSON document says of it."""
    assert read_back()[part] == shown()[part]


def test_no_path_is_lost():
    """Every path comes back, with its operations, parameters and responses."""
    assert read_back()["paths"] == without_empty_lists(shown()["paths"])


def test_kubectl_finds_kinds_and_merge_keys():
    """The extensions that kubectl reads are where it looks for them."""
    definitions = read_back()["definitions"]
    pod = definitions["io.k8s.api.core.v1.Pod"]
    containers = definitions["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert pod["x-kubernetes-group-version-kind"] == [{"group": "", "kind": "Pod", "version": "v1"}]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["x-kubernetes-patch-strategy"] == "merge"
    assert containers["x-kubernetes-list-type"] == "map"
    assert containers["x-kubernetes-list-map-keys"] == ["name"]


def test_kubectl_finds_that_fields_are_validated():
    """A patch has the parameter by which kubectl knows that the server checks fields."""
    patch = read_back()["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert patch["x-kubernetes-group-version-kind"]["kind"] == "Deployment"
    assert {"fieldValidation", "dryRun"} <= {each["name"] for each in patch["parameters"]}


@pytest.mark.parametrize(
    ("name", "written"),
    [
        (
            "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
            {"type": "string", "format": "int-or-string"},
        ),
        ("io.k8s.apimachinery.pkg.api.resource.Quantity", {"type": "string"}),
    ],
)
def test_unions_are_strings(name: str, written: dict[str, str]):
    """Version 2 has no unions: what may be a string or a number is published as a string."""
    definition = shown()["definitions"][name]
    assert {key: value for key, value in definition.items() if key != "description"} == written
    assert not [each for each in shown()["definitions"].values() if "oneOf" in each]


@pytest.mark.parametrize(
    "written",
    [
        {"minimum": -1.5, "maximum": 1e9, "minLength": 0, "maxLength": 300, "pattern": "^ü+$"},
        {"minProperties": -1},
        {"enum": ["a", 1, None, {"b": [True]}], "default": {"x": "yes: no"}},
        {"additionalProperties": False},
        {"additionalProperties": True},
        {"allOf": [{"$ref": "#/definitions/other"}], "readOnly": True, "uniqueItems": False},
        {"x-empty": "", "x-list": [], "x-nothing": None, "x-yes": True, "x-number": 7},
    ],
    ids=" ".join,
)
def test_what_the_published_schemas_do_not_use_yet(written: dict[str, Any]):
    """Every key of a schema that the message has a field for survives."""
    assert DOCUMENT(encode({"definitions": {"each": written}})) == {"definitions": {"each": written}}


def test_what_has_no_field_is_left_out():
    """A key that the message does not know is no reason to fail."""
    read = DOCUMENT(encode({"definitions": {"each": {"oneOf": [{}], "type": "string"}}}))
    assert read == {"definitions": {"each": {"type": "string"}}}


@pytest.mark.parametrize(
    ("accept", "encoding"),
    [
        ("application/com.github.proto-openapi.spec.v2@v1.0+protobuf", Encoding.OPENAPI_V2),
        (
            "application/com.github.proto-openapi.spec.v2@v1.0+protobuf, application/json;q=0.5",
            Encoding.OPENAPI_V2,
        ),
        (OPENAPI_V2_TYPE, Encoding.OPENAPI_V2),
        ("application/json", Encoding.JSON),
        ("", Encoding.JSON),
        ("*/*", Encoding.JSON),
    ],
)
def test_the_form_that_is_asked_for(accept: str, encoding: Encoding):
    """Whoever names the message gets it; JSON is for everybody else."""
    assert negotiate(accept, DOCUMENTS_V2).encoding is encoding


def test_only_version_2_has_this_form():
    """Documents of version 3 are JSON."""
    with pytest.raises(NotAcceptable, match=r"application/json$"):
        negotiate(OPENAPI_V2_TYPE, DOCUMENTS)

"""What other servers say that they serve, and how they document it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from apiserver.core.aggregation.documents import read_resources
from apiserver.core.aggregation.openapi_merge import Document, merged

PLACE = ("example.com", "v1")


def resource(name: str, **fields: Any) -> dict[str, Any]:
    """Return an entry of an APIResourceList."""
    return {"name": name, "singularName": "", "namespaced": True, "kind": "Toy", "verbs": ["get"], **fields}


def test_a_list_of_resources_is_read_as_aggregated_discovery() -> None:
    """Subresources stand below their resource, also where that is listed later, or not at all; a kind may be of another group."""
    scale = resource("toys/scale", group="autoscaling", version="v1", kind="Scale")
    listed = [
        scale,
        resource("toys", shortNames=["t"], categories=["all"]),
        resource("lone/status", namespaced=False),
    ]
    found = read_resources(msgspec.json.encode({"kind": "APIResourceList", "resources": listed}), PLACE)
    own = {"group": "example.com", "version": "v1", "kind": "Toy"}
    assert found == [
        {
            "resource": "toys", "responseKind": own, "scope": "Namespaced", "singularResource": "", "verbs": ["get"],
            "shortNames": ["t"], "categories": ["all"],
            "subresources": [{
                "subresource": "scale", "verbs": ["get"],
                "responseKind": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
            }],
        },
        {"resource": "lone", "scope": "Cluster", "verbs": [], "subresources": [
            {"subresource": "status", "responseKind": own, "verbs": ["get"]}]},
    ]  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"kind":"APIResourceList"}',
        b'{"kind":"Status","resources":[]}',
        b'{"kind":"APIResourceList","resources":[{"name":7}]}',
        msgspec.json.encode(
            {"kind": "APIResourceList", "resources": [{"name": f"r{n}"} for n in range(5001)]}
        ),
    ],
    ids=["empty", "html", "list", "nothing", "status", "number", "many"],
)
def test_what_is_no_list_of_resources_is_refused(body: bytes) -> None:
    """So that the version is listed as it was known before."""
    with pytest.raises(ValueError):  # noqa: PT011 - it says what is wrong in many words
        read_resources(body, PLACE)


POD = {"type": "object", "description": "A pod."}
OWN: dict[str, Any] = {
    "swagger": "2.0",
    "paths": {"/api/v1/pods": {"get": {}}},
    "definitions": {"Pod": POD, "Meta": POD},
}


def document(paths: Any, definitions: Any) -> Document:
    """Return a server's document."""
    return Document(PLACE, msgspec.json.encode({"paths": paths, "definitions": definitions}))


def test_documents_are_merged_by_what_belongs_to_their_version() -> None:
    """With the definitions that it needs; one that differs from another of its name gets a new name."""
    other = {"type": "string"}
    toy = {
        "properties": {"meta": {"$ref": "#/definitions/Meta"}, "same": {"$ref": "#/definitions/Pod"}},
        "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Toy"}],
    }
    paths = {
        "/apis/example.com/v1/toys": {"get": {}},
        "/apis/apps/v1/deployments": {"get": {}},
        "/api/v1/pods": {"x": 1},
    }
    found = merged(OWN, [document(paths, {"Toy": toy, "Meta": other, "Pod": POD, "Unused": other})])
    assert found["paths"] == {"/api/v1/pods": {"get": {}}, "/apis/example.com/v1/toys": {"get": {}}}
    assert found["definitions"] == {
        "Pod": POD,
        "Meta": POD,
        "Meta_v2": other,
        "Toy": {
            **toy,
            "properties": {"meta": {"$ref": "#/definitions/Meta_v2"}, "same": {"$ref": "#/definitions/Pod"}},
        },
    }


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"paths":[1]}', b'{"definitions":{"x":1}}', b"[" * 100_000]
)
def test_a_document_that_makes_no_sense_changes_nothing(body: bytes) -> None:
    """Whatever a server sends."""
    assert merged(OWN, [Document(PLACE, body)]) == OWN

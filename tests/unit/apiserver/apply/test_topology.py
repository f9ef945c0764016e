"""How values merge, as the published schemas and those of custom resources say it."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from apiserver import schemas
from apiserver.core.apply import Topologies
from apiserver.core.apply.topology import Deduced, Granular, Items, Leaf, Topology
from tests.support.applied import things

_CORE = "io.k8s.api.core.v1."


@cache
def _topologies() -> Topologies:
    return Topologies(schemas.load())


def _at(definition: str, *fields: str) -> Topology:
    found: Topology = _topologies().root(definition)
    for name in fields:
        if isinstance(found, Items):
            found = found.item
        assert isinstance(found, Granular)
        found = found.fields.get(name) or found.rest or Leaf("nothing")
    return found


@pytest.mark.parametrize(
    ("kind", "fields", "keys"),
    [
        ("Pod", ("spec", "containers"), ("name",)),
        ("Pod", ("spec", "containers", "ports"), ("containerPort", "protocol")),
        ("Pod", ("spec", "topologySpreadConstraints"), ("topologyKey", "whenUnsatisfiable")),
        ("Pod", ("metadata", "finalizers"), ()),
        ("Pod", ("metadata", "ownerReferences"), ("uid",)),
        ("Pod", ("status", "conditions"), ("type",)),
        ("Service", ("spec", "ports"), ("port", "protocol")),
        ("Node", ("status", "addresses"), ("type",)),
    ],
)
def test_lists_whose_elements_have_owners(kind: str, fields: tuple[str, ...], keys: tuple[str, ...]) -> None:
    """Their keys are those of x-kubernetes-list-map-keys; sets have none."""
    found = _at(_CORE + kind, *fields)
    assert isinstance(found, Items)
    assert found.keys == keys
    assert dict(found.defaults) == ({"protocol": "TCP"} if "protocol" in keys else {})


@pytest.mark.parametrize(
    ("definition", "fields", "accepts"),
    [
        (_CORE + "Pod", ("spec", "containers", "args"), "list"),
        (_CORE + "Pod", ("spec", "nodeSelector"), "map"),
        (_CORE + "Pod", ("spec", "containers", "resources", "limits", "cpu"), "untyped"),
        (_CORE + "Pod", ("metadata", "creationTimestamp"), "string"),
        (_CORE + "Service", ("spec", "ports", "targetPort"), "untyped"),
        ("io.k8s.api.apps.v1.Deployment", ("spec", "selector"), "map"),
        ("io.k8s.api.apps.v1.Deployment", ("spec", "replicas"), "numeric"),
        ("io.k8s.api.apps.v1.ControllerRevision", ("data",), "untyped"),
        ("io.k8s.api.rbac.v1.ClusterRoleBinding", ("roleRef",), "map"),
        (_CORE + "Secret", ("data", "x"), "string"),
    ],
)
def test_values_with_one_owner(definition: str, fields: tuple[str, ...], accepts: str) -> None:
    """Scalars, and what is marked as atomic."""
    assert _at(definition, *fields) == Leaf(accepts)


def test_every_published_definition_compiles() -> None:
    """To its last field."""
    for name in schemas.load().names():
        root = _topologies().root(name)
        assert isinstance(root.is_open, bool)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"x-kubernetes-int-or-string": True}, Leaf),
        ({"x-kubernetes-preserve-unknown-fields": True}, Deduced),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {}}, Granular),
        ({"type": "object", "additionalProperties": True}, Granular),
        (
            {
                "type": "object",
                "x-kubernetes-map-type": "granular",
                "additionalProperties": {"type": "string"},
            },
            Granular,
        ),
        (
            {
                "type": "array",
                "items": {"type": "object"},
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["b", "a"],
            },
            Items,
        ),
        ({"type": "array", "items": {"type": "string"}}, Leaf),
    ],
)
def test_custom_resources_say_it_in_the_same_words(schema: Any, expected: type) -> None:
    """What their schemas leave open is deduced from the value."""
    found = things({"x": schema}).own_topology.fields["spec"]
    assert isinstance(found, Granular)
    assert isinstance(found.fields["x"], expected)


def test_a_default_of_a_key_comes_from_the_schema() -> None:
    """An element may leave it out."""
    item = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string", "default": "d"}},
    }
    listed = {
        "type": "array",
        "items": item,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["a", "b"],
    }
    found = things({"x": listed}).own_topology.fields["spec"]
    assert isinstance(found, Granular)
    items = found.fields["x"]
    assert isinstance(items, Items)
    assert dict(items.defaults) == {"b": "d"}


def test_an_embedded_resource_has_metadata() -> None:
    """Its labels have owners of their own, though its schema does not declare them."""
    embedded = {
        "type": "object",
        "x-kubernetes-embedded-resource": True,
        "x-kubernetes-preserve-unknown-fields": True,
    }
    found = things({"x": embedded}).own_topology.fields["spec"]
    assert isinstance(found, Granular)
    inner = found.fields["x"]
    assert isinstance(inner, Granular)
    assert isinstance(inner.fields["metadata"], Granular)
    assert "labels" in inner.fields["metadata"].fields

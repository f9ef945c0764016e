"""The kinds that the apiserver stores and the resources that components speak about are the same ones."""

from __future__ import annotations

import pytest
from msgspec.structs import fields

from apiserver.core.kinds import KINDS
from machinery.model.kinds import KindNames
from machinery.model.resources import ALL, Resource


def described(one: KindNames | Resource) -> tuple[str, str, str, str, bool]:
    return one.group, one.version, one.plural, one.kind, one.namespaced


def test_every_resource_is_a_stored_kind_of_the_same_description():
    """Group, version, plural, kind and scope: a difference would be a 404, or objects of another type."""
    assert sorted(map(described, ALL)) == sorted(map(described, KINDS.values()))


@pytest.mark.parametrize("resource", ALL, ids=str)
def test_a_resources_type_says_the_same_of_itself(resource: Resource):
    """What is decoded and written back as this type names its own kind."""
    make = {field.name: field.default_factory for field in fields(resource.type)}
    assert (make["apiVersion"](), make["kind"]()) == (resource.api_version, resource.kind)

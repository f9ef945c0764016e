"""The resources that components speak about are kinds that the apiserver stores."""

from __future__ import annotations

import pytest
from msgspec.structs import fields

from apiserver.core.kinds import KINDS
from machinery.model.resources import ALL, Resource


@pytest.mark.parametrize("resource", ALL, ids=str)
def test_every_resource_is_a_stored_kind_of_the_same_description(resource: Resource):
    """Version, kind and scope: a difference would be a 404, or objects of another type."""
    kind = KINDS[resource.group, resource.plural]
    assert (resource.version, resource.kind, resource.namespaced) == (
        kind.version,
        kind.kind,
        kind.namespaced,
    )


@pytest.mark.parametrize("resource", ALL, ids=str)
def test_a_resources_type_says_the_same_of_itself(resource: Resource):
    """What is decoded and written back as this type names its own kind."""
    make = {field.name: field.default_factory for field in fields(resource.type)}
    assert (make["apiVersion"](), make["kind"]()) == (resource.api_version, resource.kind)

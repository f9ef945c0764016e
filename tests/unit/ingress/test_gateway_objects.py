"""The Gateway API's types, which are written by hand, beside the definitions that the examples have: the same names, the same defaults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec.inspect import Field, ListType, Metadata, StructType, type_info

from ingress.core.gateway.objects import GATEWAY_CLASSES, GATEWAYS, GRPC_ROUTES, HTTP_ROUTES, REFERENCE_GRANTS
from machinery.model.resources import Resource
from tests.support.gateway_kinds import definitions

KINDS = (GATEWAY_CLASSES, GATEWAYS, HTTP_ROUTES, GRPC_ROUTES, REFERENCE_GRANTS)
OBJECT_META = "metadata"  # whose schema a definition does not say
# of the experimental channel, refused where they are used; and what routes of two kinds have one type for
BESIDES = {
    "HTTPRoute.spec.rules.retry",
    "HTTPRoute.spec.rules.sessionPersistence",
    "GRPCRoute.spec.rules.sessionPersistence",
    *(
        f"GRPCRoute.spec.rules.{where}filters.{name}"
        for where in ("", "backendRefs.")
        for name in ("requestRedirect", "urlRewrite")
    ),
}


def _schema(resource: Resource[Any]) -> dict[str, Any]:
    [definition] = [each for each in definitions() if each.spec["names"]["kind"] == resource.kind]
    [version] = [each for each in definition.spec["versions"] if each["name"] == resource.version]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return found


def _differences(of: StructType, schema: dict[str, Any], path: str) -> Iterator[str]:
    """Yield fields that the schema does not have, and those whose default is another one."""
    properties = schema.get("properties", {})
    for each in of.fields:
        name = each.encode_name
        if name == OBJECT_META:
            continue
        where, told = f"{path}.{name}", properties.get(name)
        if where in BESIDES:
            continue
        if told is None:
            yield f"{where} is not in the schema"
            continue
        if (
            (default := told.get("default")) is not None
            and not isinstance(default, dict | list)
            and _default(each) != default
        ):
            yield f"{where} is {_default(each)!r} by default, {default!r} in the schema"
        if (inner := _struct(each.type)) is not None:
            yield from _differences(inner, told.get("items", told), where)


def _default(of: Field) -> Any:
    return of.default if of.default is not msgspec.NODEFAULT else None


def _struct(of: Any) -> StructType | None:
    """Return the type that a field is of, or that its items are of; None for plain values and selectors."""
    match of:
        case Metadata():
            return _struct(of.type)
        case ListType():
            return _struct(of.item_type)
        case StructType() if of.cls.__name__ != "LabelSelector":
            return of
    for member in getattr(of, "types", ()):
        if (found := _struct(member)) is not None:
            return found
    return None


@pytest.mark.parametrize("resource", KINDS, ids=lambda each: each.kind)
def test_types_have_the_names_and_the_defaults_of_the_definitions(resource: Resource[Any]) -> None:
    """What is left out of an object means the same, whether or not the API server has filled it in."""
    found = type_info(resource.type)
    assert isinstance(found, StructType)
    assert list(_differences(found, _schema(resource), resource.kind)) == []


def test_a_difference_is_seen() -> None:
    """Of a name, and of a default, in the midst of a list."""
    found = type_info(HTTP_ROUTES.type)
    assert isinstance(found, StructType)
    schema = msgspec.json.decode(msgspec.json.encode(_schema(HTTP_ROUTES)))
    backend = schema["properties"]["spec"]["properties"]["rules"]["items"]["properties"]["backendRefs"][
        "items"
    ]
    backend["properties"]["weight"]["default"] = 2
    del backend["properties"]["port"]
    assert [each.partition(" ")[0] for each in _differences(found, schema, "HTTPRoute")] == [
        "HTTPRoute.spec.rules.backendRefs.port",
        "HTTPRoute.spec.rules.backendRefs.weight",
    ]

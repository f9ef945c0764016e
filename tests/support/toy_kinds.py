"""A kind that no product file knows: Widgets, in one version or two."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from apiserver.core.kind import Kind, make_kind
from apiserver.core.rules import WITH_STATUS
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.kinds import STATUS_VERBS, KindNames, Subresource
from machinery.model.resources import Resource, resource_of

GROUP = "toys.example.com"
PATH = f"/apis/{GROUP}/v1/namespaces/default/widgets"
PATH_V2 = f"/apis/{GROUP}/v2/namespaces/default/widgets"


class Widget(msgspec.Struct, frozen=True, kw_only=True):
    """A Widget as a component reads it."""

    apiVersion: str = f"{GROUP}/v1"
    kind: str = "Widget"
    metadata: ObjectMeta = ObjectMeta()
    spec: dict[str, Any] = {}
    status: dict[str, Any] = {}


def _names(version: str) -> KindNames:
    definition = f"com.example.toys.{version}.Widget"
    return KindNames(
        GROUP,
        version,
        "Widget",
        "widgets",
        "widget",
        definition,
        namespaced=True,
        short_names=("wd",),
        categories=("all",),
        subresources={"status": Subresource("Widget", GROUP, version, STATUS_VERBS, definition)},
    )


def _definitions(version: str, field: str) -> dict[str, Any]:
    properties = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"$ref": "#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"},
        "spec": {"$ref": f"#/$defs/com.example.toys.{version}.WidgetSpec"},
        "status": {"type": "object", "additionalProperties": {"type": "string"}},
    }
    return {
        f"com.example.toys.{version}.Widget": {
            "description": "Widget is a toy.",
            "type": "object",
            "properties": properties,
            "x-kubernetes-group-version-kind": [{"group": GROUP, "version": version, "kind": "Widget"}],
        },
        f"com.example.toys.{version}.WidgetSpec": {
            "type": "object",
            "properties": {field: {"type": "integer", "format": "int32", "description": "How large it is."}},
        },
    }


def _convert(obj: dict[str, Any], api_version: str) -> dict[str, Any]:
    """Version 1 calls `size` what version 2 calls `extent`."""
    old, new = ("size", "extent") if api_version.endswith("v2") else ("extent", "size")
    spec = {new if key == old else key: value for key, value in (obj.get("spec") or {}).items()}
    return {**obj, "apiVersion": api_version, "spec": spec}


WIDGETS: Resource[Widget] = resource_of(_names("v1"), Widget)


def widgets() -> Kind:
    """Return Widgets in one version, without a rule of their own."""
    return make_kind(_names("v1"), definitions=_definitions("v1", "size"))


def widgets_in_two_versions() -> tuple[Kind, Kind]:
    """Return Widgets as they are stored, version 2, and version 1."""
    rules = replace(WITH_STATUS, convert=_convert)
    stored = make_kind(_names("v2"), rules, definitions=_definitions("v2", "extent"))
    return stored, make_kind(_names("v1"), rules, stored=stored, definitions=_definitions("v1", "size"))

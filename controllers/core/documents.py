"""Objects of any kind, read whole: spec and status stay what JSON gives, for rules that are not about one kind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from machinery.model.json_objects import Json
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.resources import Resource


class Document(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Any object that has its content in spec and status. Never written."""

    apiVersion: str = ""
    kind: str = ""
    metadata: ObjectMeta = ObjectMeta()
    spec: dict[str, Any] = {}
    status: dict[str, Any] = {}


def documents_of(resource: Resource[Any]) -> Resource[Document]:
    """Return the same collection, read as documents."""
    return replace(resource, type=Document)


def to_json(document: Document) -> Json:
    """Return an object as JSON gives it."""
    found: Json = msgspec.to_builtins(document)
    return found

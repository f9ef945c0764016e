"""OpenAPI documents: version 3, one per group and version, and version 2, one for all.

https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-interface-definition
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from apiserver.core.discovery import Discovery
from apiserver.core.kind import Kind
from apiserver.core.openapi_paths import Operation, definitions, operations
from apiserver.core.openapi_schemas import V2, V3, GroupVersions, Lookup, needed, published
from apiserver.core.values import Json
from machinery.model.kinds import KindNames

_TYPES: Final = {"string": "string", "integer": "integer", "boolean": "boolean"}
_UNAUTHORIZED: Final = {"description": "Unauthorized"}


def served_paths(discovery: Discovery) -> dict[str, tuple[str, str]]:
    """Return group and version of every version 3 document, by its path: api/v1, apis/apps/v1."""
    return {
        f"apis/{group}/{version}" if group else f"api/{version}": (group, version)
        for group, version in discovery.group_versions()
    }


def has_own_schema(names: KindNames) -> bool:
    """Whether the schema of a kind came with it, and is not one of the published ones."""
    return isinstance(names, Kind) and bool(names.definitions)


def _is_own(resources: Iterable[KindNames]) -> bool:
    return any(map(has_own_schema, resources))


def document_v3(discovery: Discovery, group: str, version: str, release: str, lookup: Lookup) -> Json:
    """Write the document of one group and version.

    It does not depend on what else there is of custom resources.
    """
    published = (pair for pair in discovery.group_versions() if not _is_own(discovery.resources(*pair)))
    served = {(group, version), *published}
    resources = discovery.resources(group, version)
    schemas = needed(definitions(resources), lookup)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": release},
        "paths": _paths_v3(operations(resources)),
        "components": {"schemas": _published(schemas, V3, served)},
    }


def document_v2(discovery: Discovery, release: str, lookup: Lookup) -> Json:
    """Write the document of everything."""
    pairs = discovery.group_versions()
    resources = [each for pair in pairs for each in discovery.resources(*pair)]
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": release},
        "paths": _paths_v2(operations(resources)),
        "definitions": _published(needed(definitions(resources), lookup), V2, set(pairs)),
    }


def _published(schemas: dict[str, Json], prefix: str, served: GroupVersions) -> Json:
    return {name: published(schema, prefix, served) for name, schema in schemas.items()}


def _paths_v3(found: list[Operation]) -> Json:
    paths: Json = {}
    for each in found:
        paths.setdefault(each.path, _path_item_v3(each))[each.method] = _operation_v3(each)
    return paths


def _path_item_v3(each: Operation) -> Json:
    return {
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in each.in_path
        ],
    }


def _operation_v3(each: Operation) -> Json:
    written = _head(each)
    written["parameters"] = [
        {"name": name, "in": "query", "description": text, "schema": {"type": _TYPES[kind]}}
        for name, kind, text in each.parameters
    ]
    if each.body:
        schema = {"schema": {"$ref": V3 + each.body}}
        written["requestBody"] = {
            "content": dict.fromkeys(each.consumes, schema),
            "required": each.method != "delete",
        }
    written["responses"] = _responses(each, _answer_v3(each))
    return written


def _answer_v3(each: Operation) -> Json:
    if not each.answer:
        return {"content": {"text/plain": {"schema": {"type": "string"}}}}
    return {"content": {form: {"schema": {"$ref": V3 + each.answer}} for form in each.produces}}


def _paths_v2(found: list[Operation]) -> Json:
    paths: Json = {}
    for each in found:
        item = paths.setdefault(each.path, _path_item_v2(each))
        item[each.method] = _operation_v2(each)
    return paths


def _path_item_v2(each: Operation) -> Json:
    return {
        "parameters": [
            {"name": name, "in": "path", "required": True, "type": "string"} for name in each.in_path
        ],
    }


def _operation_v2(each: Operation) -> Json:
    written = _head(each)
    parameters: list[Json] = [
        {"name": name, "in": "query", "description": text, "type": _TYPES[kind]}
        for name, kind, text in each.parameters
    ]
    if each.body:
        body: dict[str, Any] = {"name": "body", "in": "body", "schema": {"$ref": V2 + each.body}}
        parameters.append({**body, "required": each.method != "delete"})
    answer = {"schema": {"$ref": V2 + each.answer} if each.answer else {"type": "string"}}
    return {
        **written,
        "consumes": list(each.consumes),
        "produces": list(each.produces) if each.answer else ["text/plain"],
        "schemes": ["https"],
        "parameters": parameters,
        "responses": _responses(each, answer),
    }


def _head(each: Operation) -> Json:
    group, version, kind = each.kind
    return {
        "description": each.description,
        "operationId": each.operation_id,
        "x-kubernetes-action": each.action,
        "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
    }


def _responses(each: Operation, answer: Json) -> Json:
    responses: Json = {"200": {"description": "OK", **answer}}
    if each.created:
        responses["201"] = {"description": "Created", **answer}
    return {**responses, "401": _UNAUTHORIZED}

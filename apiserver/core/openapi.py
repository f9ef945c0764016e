"""OpenAPI documents: version 3, one per group and version, and version 2, one for all.

https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-interface-definition
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from apiserver.core.discovery import Discovery
from apiserver.core.kind import ComputedKind, Kind
from apiserver.core.openapi_enums import with_enums
from apiserver.core.openapi_pages import pages, resource_list
from apiserver.core.openapi_paths import JSON_TYPES, Operation, definitions, is_published, operations
from apiserver.core.openapi_schemas import V2, V3, GroupVersions, Lookup, needed, published
from apiserver.core.values import Json
from machinery.model.kinds import KindNames

_UNAUTHORIZED: Final = {"description": "Unauthorized"}
_SECURITY: Final = {
    "BearerToken": {
        "description": "Bearer Token authentication",
        "in": "header",
        "name": "authorization",
        "type": "apiKey",
    }
}


def served_paths(discovery: Discovery) -> dict[str, tuple[str, str]]:
    """Return group and version of every version 3 document, by its path: api/v1, apis/apps/v1."""
    return {
        f"apis/{group}/{version}" if group else f"api/{version}": (group, version)
        for group, version in discovery.group_versions()
    }


def has_own_schema(names: KindNames) -> bool:
    """Whether the schema of a kind came with it, and is not one of the published ones."""
    return isinstance(names, Kind | ComputedKind) and bool(names.definitions)


def _is_own(resources: Iterable[KindNames]) -> bool:
    return any(map(has_own_schema, resources))


def document_v3(discovery: Discovery, group: str, version: str, release: str, lookup: Lookup) -> Json:
    """Write the document of one group and version.

    It does not depend on what else there is of custom resources.
    """
    published = (pair for pair in discovery.group_versions() if not _is_own(discovery.resources(*pair)))
    served = {(group, version), *published}
    return _document_v3(_operations(discovery, group, version), served, release, lookup)


def page_v3(page: Operation, release: str, lookup: Lookup) -> Json:
    """Write the document of a page that is about no version of a group."""
    return _document_v3([page], {("", "v1")}, release, lookup)


def _document_v3(found: list[Operation], served: GroupVersions, release: str, lookup: Lookup) -> Json:
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": release},
        "paths": _paths_v3(found),
        "components": {
            "schemas": _published(needed(definitions(found), lookup), V3, served),
            "securitySchemes": _SECURITY,
        },
    }


def _operations(discovery: Discovery, group: str, version: str) -> list[Operation]:
    """List what a version serves; those of custom resources have no operation that lists them."""
    resources = discovery.resources(group, version)
    listing = [resource_list(group, version)] if any(map(is_published, resources)) else []
    return [*listing, *operations(resources)]


def document_v2(discovery: Discovery, release: str, lookup: Lookup) -> Json:
    """Write the document of everything."""
    pairs = discovery.group_versions()
    found = [*pages(discovery).values(), *(each for pair in pairs for each in _operations(discovery, *pair))]
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": release},
        "paths": _paths_v2(found),
        "definitions": _published(needed(definitions(found), lookup), V2, set(pairs)),
        "securityDefinitions": _SECURITY,
        "security": [{"BearerToken": []}],
    }


def _published(schemas: dict[str, Json], prefix: str, served: GroupVersions) -> Json:
    return {name: with_enums(name, published(schema, prefix, served)) for name, schema in schemas.items()}


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
        {"name": name, "in": "query", "description": text, "schema": {"type": kind}}
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
        return {"content": {form: {"schema": {"type": "string"}} for form in _text_types(each)}}
    return {"content": {form: {"schema": {"$ref": V3 + each.answer}} for form in each.produces}}


def _text_types(each: Operation) -> tuple[str, ...]:
    """Return the media types of an answer that is no object: a log's, where nothing else is said of it."""
    return ("text/plain",) if each.produces[0] == JSON_TYPES[0] and each.kind else each.produces


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
        {"name": name, "in": "query", "description": text, "type": kind}
        for name, kind, text in each.parameters
    ]
    if each.body:
        body: dict[str, Any] = {"name": "body", "in": "body", "schema": {"$ref": V2 + each.body}}
        parameters.append({**body, "required": each.method != "delete"})
    answer = {"schema": {"$ref": V2 + each.answer} if each.answer else {"type": "string"}}
    return {
        **written,
        "consumes": list(each.consumes),
        "produces": list(each.produces) if each.answer else list(_text_types(each)),
        "schemes": ["https"],
        "parameters": parameters,
        "responses": _responses(each, answer),
    }


def _head(each: Operation) -> Json:
    head: Json = {"description": each.description, "operationId": each.operation_id, "tags": [each.tag]}
    if each.kind is None:
        return head
    group, version, kind = each.kind
    return {
        **head,
        "x-kubernetes-action": each.action,
        "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
    }


def _responses(each: Operation, answer: Json) -> Json:
    responses: Json = {"200": {"description": "OK", **answer}}
    if each.created:
        responses["201"] = {"description": "Created", **answer}
    if each.accepted:
        responses["202"] = {"description": "Accepted", **answer}
    return {**responses, "401": _UNAUTHORIZED}

"""OpenAPI version 3 of extension servers that offer version 2 alone, made from that as kube-apiserver makes it.

The definitions are the same ones in another place. Of an operation the body becomes its `requestBody`, what it takes and
answers with stands at its media types, and the other parameters have schemas.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from apiserver.core.values import Json

_DEFINITIONS: Final = "#/definitions/"
_SCHEMAS: Final = "#/components/schemas/"
_PARAMETERS: Final = "#/parameters/"
_ANY: Final = ["*/*"]
_OF_PARAMETER: Final = frozenset({"name", "in", "description", "required"})
_MOVED: Final = frozenset({"consumes", "produces", "schemes", "parameters", "responses"})


def in_version_3(body: bytes) -> bytes | None:
    """Return a document of version 2 as one of version 3; None where it makes no sense."""
    try:
        return msgspec.json.encode(_document(msgspec.json.decode(body, type=dict[str, Any])))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _document(given: Json) -> Json:
    about: Json = {name: given[name] for name in ("info", "externalDocs", "tags") if name in given}
    paths = {path: _item(item, given) for path, item in (given.get("paths") or {}).items()}
    schemas = {name: _moved(schema) for name, schema in (given.get("definitions") or {}).items()}
    return {"openapi": "3.0.0", **about, "paths": paths, "components": {"schemas": schemas}}


def _item(item: Json, document: Json) -> Json:
    """Return what can be done at a path; parameters of all of it come first, a body among them goes to each operation."""
    shared = list(_parameters(item, document))
    bodies = [each for each in shared if each["in"] == "body"]
    made = {
        method: _operation(operation, bodies, document)
        for method, operation in item.items()
        if method != "parameters"
    }
    rest = [_parameter(each) for each in shared if each["in"] != "body"]
    return {**({"parameters": rest} if rest else {}), **made}


def _operation(operation: Json, bodies: list[Json], document: Json) -> Json:
    consumes, produces = (
        operation.get(name) or document.get(name) or _ANY for name in ("consumes", "produces")
    )
    made = {name: value for name, value in operation.items() if name not in _MOVED}
    given = list(_parameters(operation, document))
    if rest := [_parameter(each) for each in given if each["in"] != "body"]:
        made["parameters"] = rest
    for body in [each for each in given if each["in"] == "body"] or bodies:
        kept = {name: body[name] for name in ("description", "required") if name in body}
        made["requestBody"] = {**kept, "content": _content(body["schema"], consumes)}
    made["responses"] = {
        code: _response(response, produces) for code, response in (operation.get("responses") or {}).items()
    }
    return made


def _parameters(place: Json, document: Json) -> Iterator[Json]:
    for each in place.get("parameters") or ():
        reference = each.get("$ref")
        found = each if reference is None else document["parameters"][reference.removeprefix(_PARAMETERS)]
        yield found


def _parameter(given: Json) -> Json:
    kept = {name: value for name, value in given.items() if name in _OF_PARAMETER}
    return {
        **kept,
        "schema": _moved({name: value for name, value in given.items() if name not in _OF_PARAMETER}),
    }


def _response(given: Json, produces: list[str]) -> Json:
    rest = {name: value for name, value in given.items() if name not in {"schema", "headers", "examples"}}
    return {**rest, **({"content": _content(given["schema"], produces)} if "schema" in given else {})}


def _content(schema: Json, media_types: list[str]) -> Json:
    moved = _moved(schema)
    return {media_type: {"schema": moved} for media_type in media_types}


def _moved(value: Any) -> Any:
    """Return a schema whose references lead to where definitions are in version 3."""
    if isinstance(value, list):
        return [_moved(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _SCHEMAS + each.removeprefix(_DEFINITIONS)
        if name == "$ref" and isinstance(each, str) and each.startswith(_DEFINITIONS)
        else _moved(each)
        for name, each in value.items()
    }

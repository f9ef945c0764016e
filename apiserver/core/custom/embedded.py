"""Resources inside resources (x-kubernetes-embedded-resource): their apiVersion, kind and metadata are checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from apiserver.core import field_errors, metadata
from apiserver.core.custom.structural import Structural
from machinery.model import names
from machinery.model.errors import Cause

ReadMetadata: TypeAlias = Callable[[Any], Any]
"""Reads an ObjectMeta into the form that is stored. It raises ValueError where it is none, in the words of its fault."""


def check_embedded(value: Any, schema: Structural | None, read: ReadMetadata, path: str = "") -> list[Cause]:
    """Find what is wrong with the resources inside an object (not with its own metadata, which others check)."""
    found: list[Cause] = []
    if schema is None:
        return found
    if isinstance(value, dict) and schema.is_resource and path:
        found += _resource_causes(value, read, path)
    for item, inner, where in _parts(value, schema, path):
        if isinstance(item, dict | list):
            found += check_embedded(item, inner, read, where)
    return found


def _parts(value: Any, schema: Structural, path: str) -> Iterator[tuple[Any, Structural | None, str]]:
    """Yield what lies in a value, with its schema and its path."""
    if isinstance(value, list):
        yield from ((item, schema.items, f"{path}[{index}]") for index, item in enumerate(value))
        return
    for name, item in value.items() if isinstance(value, dict) else ():
        if name in schema.properties:
            yield item, schema.properties[name], f"{path}.{name}" if path else name
        else:
            yield item, schema.additional, f"{path}[{name}]"


def _resource_causes(value: dict[str, Any], read: ReadMetadata, path: str) -> list[Cause]:
    found = [
        *_text_causes(value, "apiVersion", path, _version_errors),
        *_text_causes(value, "kind", path, _kind_errors),
    ]
    if "metadata" not in value:
        return found
    try:
        meta = read(value["metadata"])
    except ValueError as error:
        return [*found, field_errors.invalid(f"{path}.metadata", value["metadata"], str(error))]
    return [*found, *_metadata_causes(meta, f"{path}.metadata")]


def _text_causes(
    value: dict[str, Any], name: str, path: str, errors: Callable[[str], list[str]]
) -> list[Cause]:
    given = value.get(name)
    if name not in value or given == "":
        return [field_errors.required(f"{path}.{name}")]
    if not isinstance(given, str):
        return [field_errors.invalid(f"{path}.{name}", given, "must be a string")]
    return field_errors.each_invalid(f"{path}.{name}", given, errors(given))


def _version_errors(text: str) -> list[str]:
    return [f"unexpected GroupVersion string: {text}"] if text.count("/") > 1 else []


def _kind_errors(text: str) -> list[str]:
    errors = names.dns_1035_label_errors(text.lower())
    return [f"may have mixed case, but should otherwise match: {','.join(errors)}"] if errors else []


def _metadata_causes(meta: dict[str, Any], path: str) -> list[Cause]:
    found: list[Cause] = []
    for name, errors in (
        ("generateName", names.path_segment_errors),
        ("name", names.path_segment_errors),
        ("namespace", names.dns_label_errors),
    ):
        if given := meta.get(name):
            found += field_errors.each_invalid(f"{path}.{name}", given, errors(given))
    return [*found, *metadata.validate_common(meta, path, any_finalizer=True)]

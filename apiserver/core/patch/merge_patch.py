"""JSON Merge Patch, RFC 7386: what the patch names replaces, null removes, lists are replaced whole."""

from __future__ import annotations

from typing import Any

from apiserver.core.values import Json


def merge_patch(current: Json, patch: Json) -> Json:
    """Return `current` with the patch merged in; idempotent, and both are left alone."""
    result = dict(current)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), value)
    return result


def _merged(current: Any, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return merge_patch(current if isinstance(current, dict) else {}, value)

"""Write the difference of two documents as a JSON merge patch (RFC 7386)."""

from __future__ import annotations

from typing import Any

import msgspec

from controllers.core.actions import Patch
from machinery.model.resources import KubeObject, Resource


def diff_documents(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return the merge patch that turns `old` into `new`; empty where they are equal. Lists are replaced whole."""
    changed = {key: _change(old.get(key), value) for key, value in new.items() if old.get(key) != value}
    return changed | dict.fromkeys(old.keys() - new.keys())


def _change(old: Any, new: Any) -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        return diff_documents(old, new)
    return new


def patch_status(resource: Resource[Any], obj: KubeObject, new: msgspec.Struct) -> tuple[Patch, ...]:
    """Bring the status of an object to `new`, at the revision that was read; nothing where it is there already."""
    old: msgspec.Struct = getattr(obj, "status")  # noqa: B009 - not every kind has one; those given here do
    changed = diff_documents(msgspec.to_builtins(old), msgspec.to_builtins(new))
    return (patch_at_revision(resource, obj, {"status": changed}, subresource="status"),) if changed else ()


def patch_at_revision(
    resource: Resource[Any], obj: KubeObject, patch: dict[str, Any], *, subresource: str = ""
) -> Patch:
    """Merge `patch` into the object if it is still at the revision that was read; otherwise Conflict."""
    meta = obj.metadata
    metadata = patch.get("metadata", {}) | {"uid": meta.uid, "resourceVersion": meta.resourceVersion}
    return Patch(resource, meta.namespace, meta.name, patch | {"metadata": metadata}, subresource)

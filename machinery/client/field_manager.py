"""The name under which a component owns the fields that it writes (metadata.managedFields)."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=64)
def field_manager(caller: str) -> str:
    """Return the name that all instances of a component share: "kubelet" of kubelet@node-3, "controllers" of controllers-2."""
    component = caller.partition("@")[0]
    name, _, number = component.rpartition("-")
    return name if name and number.isdigit() else component

"""What all objects are made of that the visits of controllers are counted with: raw, as a watch brings them."""

from __future__ import annotations

from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
CREATED = "2026-01-01T00:00:00Z"
PODS_EACH = 3
NEW = 5_000  # the number of an object that was not there before


def made(api_version: str, kind: str, name: str, namespace: str = "default", **fields: Any) -> Json:
    """Return an object."""
    metadata = {
        "name": name,
        "uid": f"uid-{kind}-{namespace}-{name}",
        "resourceVersion": "1",
        "creationTimestamp": CREATED,
        **({"namespace": namespace} if namespace else {}),
        **fields.pop("metadata", {}),
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def owned_by(obj: Json) -> list[Json]:
    """Return the references of an object that another one owns."""
    meta = obj["metadata"]
    reference = {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
    }
    return [reference | {"controller": True, "blockOwnerDeletion": True}]


def is_ready(status: str = "True") -> Json:
    """Return a status with the condition Ready."""
    return {"conditions": [{"type": "Ready", "status": status, "lastTransitionTime": CREATED}]}


def named(obj: Json, name: str) -> Json:
    """Return an object under another name, with another uid."""
    return with_metadata(obj, name=name, uid=f"uid-{name}")


def with_metadata(obj: Json, **fields: Any) -> Json:
    """Return an object with other metadata."""
    return obj | {"metadata": obj["metadata"] | fields}

"""autoscaling/v1 Scale: the number of replicas of a workload, without the rest of it."""

from __future__ import annotations

from typing import Any, Final

from apiserver.core import answers, field_errors, writes
from apiserver.core.kind import Kind
from apiserver.core.rules import ScaleMapping, spec_scaled
from apiserver.core.schema import Schemas
from apiserver.core.values import Json, metadata, spec
from machinery.model.errors import BadRequest

DEFINITION: Final = "io.k8s.api.autoscaling.v1.Scale"
API_VERSION: Final = "autoscaling/v1"
_METADATA: Final = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(mapping: ScaleMapping, obj: Json) -> Json:
    """Return the Scale of a workload."""
    meta = metadata(obj)
    status: Json = {"replicas": mapping.current_replicas(obj)}
    if selector := mapping.selector(obj):
        status["selector"] = selector
    return {
        "apiVersion": API_VERSION,
        "kind": "Scale",
        "metadata": {name: meta[name] for name in _METADATA if name in meta},
        "spec": {"replicas": mapping.replicas(obj)},
        "status": status,
    }


def read_scale(
    schemas: Schemas,
    raw: Any,
    name: str,
    validation: writes.FieldValidation,
    document: writes.Document = writes.OBJECT,
) -> tuple[Json, tuple[str, ...]]:
    """Read a client's Scale; with its warnings.

    Raises:
        BadRequest: it does not fit the schema, or is another object's.
        Invalid: the number is negative.
    """
    scale, warnings = writes.read_as(
        schemas, DEFINITION, API_VERSION, "Scale", raw, validation=validation, document=document
    )
    given = metadata(scale).get("name", name)
    if given != name:
        raise BadRequest(f"the name of the object ({given}) does not match the name on the URL ({name})")
    found = field_errors.not_negative("spec.replicas", spec(scale).get("replicas", 0))
    if found:
        raise field_errors.invalid_object("Scale.autoscaling", name, found)
    return scale, warnings


def scaled(kind: Kind, obj: Json, scale: Json) -> Json:
    """Return the workload with the number of a Scale.

    Raises:
        Conflict: the Scale is about another version of it.
    """
    meta, before = metadata(scale), metadata(obj)
    version = meta.get("resourceVersion", "")
    if version not in {"", "0", before["resourceVersion"]}:
        raise answers.conflict(kind, before["name"])
    if meta.get("uid", before["uid"]) != before["uid"]:
        raise answers.conflict(kind, before["name"], "the Scale is about an object that has been replaced")
    scaled = kind.rules.scale.scaled if kind.rules.scale else spec_scaled
    return scaled(obj, spec(scale).get("replicas", 0))

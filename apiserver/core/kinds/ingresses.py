"""Ingresses: what an update keeps, and the annotation that names a class. The rules are in apiserver.core.ingress_rules.

https://kubernetes.io/docs/concepts/services-networking/ingress/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.ingress_rules import balancer_causes, ingress_causes
from apiserver.core.rules import Prepare, Rules, Validate, WriteContext, with_old_status
from apiserver.core.table import network as table
from apiserver.core.values import Json, metadata, spec
from machinery.model.errors import Cause

_ANNOTATION: Final = "kubernetes.io/ingress.class"


def _default(obj: Json) -> Json:
    obj.setdefault("spec", {})
    obj.setdefault("status", {}).setdefault("loadBalancer", {})
    return obj


def _prepare_create(obj: Json, _context: WriteContext) -> Json:
    return {**obj, "status": {"loadBalancer": {}}}


def _validate(obj: Json) -> list[Cause]:
    annotations = metadata(obj).get("annotations") or {}
    found = ingress_causes(spec(obj), "spec")
    if _ANNOTATION in annotations and "ingressClassName" in spec(obj):
        text = "can not be set when the class field is also set"
        path = f"annotations.{_ANNOTATION}"
        found.append(field_errors.invalid(path, annotations[_ANNOTATION], text))
    return found


def _validate_status(new: Json, _old: Json) -> list[Cause]:
    return balancer_causes((new.get("status") or {}).get("loadBalancer") or {}, "status.loadBalancer")


def _warnings(new: Json, old: Json | None) -> tuple[str, ...]:
    if old is not None or _ANNOTATION not in (metadata(new).get("annotations") or {}):
        return ()
    return (f"annotation \"{_ANNOTATION}\" is deprecated, please use 'spec.ingressClassName' instead",)


RULES: Final = Rules(
    default=_default,
    prepare=Prepare(create=_prepare_create, update=with_old_status),
    validate=Validate(
        create=_validate,
        update=lambda new, _old: ingress_causes(spec(new), "spec"),
        status=_validate_status,
    ),
    counts_generation=True,
    storage_prefix="/registry/ingress",
    warnings=_warnings,
    table=table.INGRESSES,
)

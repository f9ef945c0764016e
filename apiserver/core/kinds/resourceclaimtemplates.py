"""ResourceClaimTemplates: claims of devices, as pods are given one of their own.

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors, metadata
from apiserver.core.devices import claim_causes, default_claim
from apiserver.core.rules import Rules, Validate
from apiserver.core.values import Json, spec
from machinery.model.errors import Cause


def _default(obj: Json) -> Json:
    default_claim(obj.setdefault("spec", {}).setdefault("spec", {}))
    return obj


def _validate(obj: Json) -> list[Cause]:
    own = spec(obj)
    meta = own.get("metadata") or {}
    found = metadata.validate_labels(meta.get("labels") or {}, "spec.metadata.labels")
    found += metadata.validate_annotations(meta.get("annotations") or {}, "spec.metadata.annotations")
    return found + claim_causes(own["spec"], "spec.spec")


def _validate_update(new: Json, old: Json) -> list[Cause]:
    return field_errors.unchanged("spec", spec(new), spec(old))


RULES: Final = Rules(
    default=_default,
    validate=Validate(create=_validate, update=_validate_update),
)

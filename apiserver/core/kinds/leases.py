"""Leases.

https://kubernetes.io/docs/concepts/architecture/leases/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.rules import Rules, Validate
from apiserver.core.table import nodes as table
from apiserver.core.values import Json, spec
from machinery.model.errors import Cause


def _validate(obj: Json) -> list[Cause]:
    duration, transitions = spec(obj).get("leaseDurationSeconds"), spec(obj).get("leaseTransitions")
    found: list[Cause] = []
    if duration is not None and duration <= 0:
        found.append(field_errors.invalid("spec.leaseDurationSeconds", duration, "must be greater than 0"))
    return found + field_errors.not_negative("spec.leaseTransitions", transitions)


def _unbuilt(obj: Json) -> str:
    if spec(obj).get("strategy") or spec(obj).get("preferredHolder"):
        return "coordinated leader election (spec.strategy, spec.preferredHolder) is not built"
    return ""


RULES: Final = Rules(
    unbuilt=_unbuilt,
    validate=Validate(create=_validate, update=lambda new, _old: _validate(new)),
    create_on_update=True,
    unconditional_update=False,
    table=table.LEASES,
)

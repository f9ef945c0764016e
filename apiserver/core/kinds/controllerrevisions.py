"""ControllerRevisions: the templates that StatefulSets and DaemonSets had, for rollbacks.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/controller-revision-v1/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.rules import Rules, Validate
from apiserver.core.table import workloads as table
from apiserver.core.values import Json
from machinery.model.errors import Cause


def _validate(obj: Json) -> list[Cause]:
    found = [] if "data" in obj else [field_errors.required("data", "data is mandatory")]
    return found + field_errors.not_negative("revision", obj.get("revision"))


def _validate_update(new: Json, old: Json) -> list[Cause]:
    return [*_validate(new), *field_errors.unchanged("data", new.get("data"), old.get("data"))]


def _default(obj: Json) -> Json:
    obj.setdefault("revision", 0)
    return obj


RULES: Final = Rules(
    default=_default,
    validate=Validate(create=_validate, update=_validate_update),
    table=table.CONTROLLER_REVISIONS,
)

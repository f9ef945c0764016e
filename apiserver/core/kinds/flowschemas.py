"""FlowSchemas: which requests belong together, and to which priority level.

https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#flowschema
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.flow_rules import (
    EXEMPT,
    LARGEST_PRECEDENCE,
    MANDATORY_SCHEMAS,
    rule_causes,
    status_causes,
)
from apiserver.core.rules import OWN_METADATA, Prepare, Rules, Validate, with_empty_status, with_old_status
from apiserver.core.table import flow as table
from apiserver.core.values import Json, spec
from machinery.model import names
from machinery.model.errors import Cause

_PRECEDENCE: Final = 1000
_METHODS: Final = frozenset({"ByNamespace", "ByUser"})


def _default(obj: Json) -> Json:
    own = obj.setdefault("spec", {})
    if not own.get("matchingPrecedence"):
        own["matchingPrecedence"] = _PRECEDENCE
    return obj


def _validate(obj: Json) -> list[Cause]:
    own, name = spec(obj), obj["metadata"].get("name", "")
    found = _precedence_causes(own["matchingPrecedence"], name, "spec.matchingPrecedence")
    if "distinguisherMethod" in own:
        method = own["distinguisherMethod"]
        if method.get("type", "") not in _METHODS:
            found.append(field_errors.not_supported("spec.distinguisherMethod.type", method, _METHODS))
    level, path = (
        (own.get("priorityLevelConfiguration") or {}).get("name", ""),
        "spec.priorityLevelConfiguration",
    )
    if level:
        found += field_errors.each_invalid(f"{path}.name", level, names.dns_subdomain_errors(level))
    else:
        found.append(field_errors.required(f"{path}.name", "must reference a priority level"))
    for index, rule in enumerate(own.get("rules") or []):
        found += rule_causes(rule, f"spec.rules[{index}]")
    if name in MANDATORY_SCHEMAS and own != MANDATORY_SCHEMAS[name]:
        text = f"spec of '{name}' must equal the fixed value"
        found.append(field_errors.invalid("spec", own, text))
    return found


def _precedence_causes(precedence: int, name: str, path: str) -> list[Cause]:
    if precedence <= 0:
        return [field_errors.invalid(path, precedence, "must be a positive value")]
    if precedence > LARGEST_PRECEDENCE:
        text = f"must not be greater than {LARGEST_PRECEDENCE}"
        return [field_errors.invalid(path, precedence, text)]
    if precedence == 1 and name != EXEMPT:
        text = "only the schema named 'exempt' may have matchingPrecedence 1"
        return [field_errors.invalid(path, precedence, text)]
    return []


RULES: Final = Rules(
    default=_default,
    prepare=Prepare(create=with_empty_status, update=with_old_status),
    validate=Validate(create=_validate, update=lambda new, _old: _validate(new), status=status_causes),
    counts_generation=True,
    status_keeps=OWN_METADATA,
    table=table.FLOW_SCHEMAS,
)

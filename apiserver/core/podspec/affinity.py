"""The rules of affinity.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors, labelselector
from apiserver.core.podspec.labelkeys import label_key_causes
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause

REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"


def affinity_causes(affinity: Json, path: str) -> list[Cause]:
    """Check node affinity, and affinity to and against other pods."""
    found = _node_causes(affinity.get("nodeAffinity") or {}, f"{path}.nodeAffinity")
    for name in ("podAffinity", "podAntiAffinity"):
        found += _pod_causes(affinity.get(name) or {}, f"{path}.{name}")
    return found


def _node_causes(affinity: Json, path: str) -> list[Cause]:
    found: list[Cause] = []
    if REQUIRED in affinity:
        found += node_selector_causes(affinity[REQUIRED], f"{path}.{REQUIRED}.nodeSelectorTerms")
    for index, term in enumerate(affinity.get(PREFERRED) or []):
        where = f"{path}.{PREFERRED}[{index}]"
        found += _weight_causes(term, where)
        found += _term_causes(term.get("preference") or {}, f"{where}.preference", any_value=True)
    return found


def _weight_causes(term: Json, path: str) -> list[Cause]:
    weight = term.get("weight", 0)
    return (
        []
        if 1 <= weight <= 100
        else [field_errors.invalid(f"{path}.weight", weight, "must be in the range 1-100")]
    )


def node_selector_causes(selector: Json, path: str) -> list[Cause]:
    """Check a choice of nodes; `path` is that of its terms."""
    terms = selector.get("nodeSelectorTerms") or []
    if not terms:
        return [field_errors.required(path, "must have at least one node selector term")]
    return [
        cause
        for index, term in enumerate(terms)
        for cause in _term_causes(term, f"{path}[{index}]", any_value=False)
    ]


def _term_causes(term: Json, path: str, *, any_value: bool) -> list[Cause]:
    found: list[Cause] = []
    for index, each in enumerate(term.get("matchExpressions") or []):
        found += _expression_causes(each, f"{path}.matchExpressions[{index}]", any_value=any_value)
    for index, each in enumerate(term.get("matchFields") or []):
        found += _field_causes(each, f"{path}.matchFields[{index}]")
    return found


def _expression_causes(expression: Json, path: str, *, any_value: bool) -> list[Cause]:
    operator, values = expression.get("operator", ""), expression.get("values") or []
    key, where = expression.get("key", ""), f"{path}.values"
    found: list[Cause] = []
    match operator:
        case "In" | "NotIn" if not values:
            found.append(field_errors.required(where, "must be specified when `operator` is 'In' or 'NotIn'"))
        case "Exists" | "DoesNotExist" if values:
            text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            found.append(field_errors.forbidden(where, text))
        case "Gt" | "Lt" if len(values) != 1:
            text = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            found.append(field_errors.required(where, text))
        case "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt":
            pass
        case _:
            found.append(field_errors.invalid(f"{path}.operator", operator, "not a valid selector operator"))
    found += field_errors.each_invalid(f"{path}.key", key, names.label_key_errors(key))
    for index, value in enumerate(() if any_value else values):
        found += field_errors.each_invalid(f"{where}[{index}]", value, names.label_value_errors(value))
    return found


def _field_causes(field: Json, path: str) -> list[Cause]:
    operator, values, key = field.get("operator", ""), field.get("values") or [], field.get("key", "")
    found: list[Cause] = []
    if operator not in {"In", "NotIn"}:
        found.append(field_errors.invalid(f"{path}.operator", operator, "not a valid selector operator"))
    elif len(values) != 1:
        text = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        found.append(field_errors.required(f"{path}.values", text))
    if key != "metadata.name":
        return [*found, field_errors.invalid(f"{path}.key", key, "not a valid field selector key")]
    for index, value in enumerate(values):
        found += field_errors.each_invalid(
            f"{path}.values[{index}]", value, names.dns_subdomain_errors(value)
        )
    return found


def _pod_causes(affinity: Json, path: str) -> list[Cause]:
    found: list[Cause] = []
    for index, term in enumerate(affinity.get(REQUIRED) or []):
        found += _pod_term_causes(term, f"{path}.{REQUIRED}[{index}]")
    for index, weighted in enumerate(affinity.get(PREFERRED) or []):
        where = f"{path}.{PREFERRED}[{index}]"
        found += _weight_causes(weighted, where)
        found += _pod_term_causes(weighted.get("podAffinityTerm") or {}, f"{where}.podAffinityTerm")
    return found


def _pod_term_causes(term: Json, path: str) -> list[Cause]:
    found: list[Cause] = []
    for name in ("labelSelector", "namespaceSelector"):
        if name in term:
            found += labelselector.validate(term[name], f"{path}.{name}")
    for name in term.get("namespaces") or []:
        found += field_errors.each_invalid(f"{path}.namespace", name, names.dns_label_errors(name))
    found += label_key_causes(term, path)
    key = term.get("topologyKey", "")
    if not key:
        found.append(field_errors.required(f"{path}.topologyKey", "can not be empty"))
    return found + field_errors.each_invalid(f"{path}.topologyKey", key, names.label_key_errors(key))

"""matchLabelKeys and mismatchLabelKeys: labels of the pod itself that become part of its selectors (KEP-3633, 3243)."""

from __future__ import annotations

from apiserver.core import field_errors
from apiserver.core.values import Json, metadata, spec
from machinery.model import names
from machinery.model.errors import Cause

_LISTS = ("requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution")
_OPERATORS = {"matchLabelKeys": "In", "mismatchLabelKeys": "NotIn"}


def label_key_causes(term: Json, path: str) -> list[Cause]:
    """Check the keys of a term: labels, each once, that need a selector to become part of."""
    found: list[Cause] = []
    for field in _OPERATORS:
        keys = term.get(field) or []
        if keys and term.get("labelSelector") is None:
            text = "must not be specified when labelSelector is not set"
            found.append(field_errors.forbidden(f"{path}.{field}", text))
        for index, key in enumerate(keys):
            found += field_errors.each_invalid(f"{path}.{field}[{index}]", key, names.label_key_errors(key))
    both = set(term.get("matchLabelKeys") or []) & set(term.get("mismatchLabelKeys") or [])
    for index, key in enumerate(term.get("matchLabelKeys") or []):
        if key in both:
            text = "exists in both matchLabelKeys and mismatchLabelKeys"
            found.append(field_errors.invalid(f"{path}.matchLabelKeys[{index}]", key, text))
    return found + _said_twice(term, path)


def _said_twice(term: Json, path: str) -> list[Cause]:
    """Find keys that the selector asks for already: of a new pod it has those of matchLabelKeys at its end."""
    wanted = {key: index for index, key in enumerate(term.get("matchLabelKeys") or [])}
    if not wanted:
        return []
    selector = term.get("labelSelector") or {}
    seen = set(selector.get("matchLabels") or {})
    found: list[Cause] = []
    for expression in selector.get("matchExpressions") or []:
        key = expression.get("key", "")
        if key in wanted and key in seen:
            where, text = (
                f"{path}.matchLabelKeys[{wanted[key]}]",
                "exists in both matchLabelKeys and labelSelector",
            )
            found.append(field_errors.invalid(where, key, text))
        seen.add(key)
    return found


def merged_label_keys(pod: Json) -> Json:
    """Return a new pod whose selectors also ask for the values that its own labels have for these keys."""
    own, labels = spec(pod), metadata(pod).get("labels") or {}
    changed = dict(own)
    if constraints := own.get("topologySpreadConstraints"):
        changed["topologySpreadConstraints"] = [_merged(each, labels) for each in constraints]
    if affinity := own.get("affinity"):
        changed["affinity"] = {
            name: _merged_affinity(part, labels) if name != "nodeAffinity" else part
            for name, part in affinity.items()
        }
    return {**pod, "spec": changed}


def _merged_affinity(affinity: Json, labels: dict[str, str]) -> Json:
    required, preferred = _LISTS
    changed = dict(affinity)
    if required in affinity:
        changed[required] = [_merged(term, labels) for term in affinity[required]]
    if preferred in affinity:
        changed[preferred] = [
            {**weighted, "podAffinityTerm": _merged(weighted.get("podAffinityTerm") or {}, labels)}
            for weighted in affinity[preferred]
        ]
    return changed


def _merged(term: Json, labels: dict[str, str]) -> Json:
    selector = term.get("labelSelector")
    added = [
        {"key": key, "operator": operator, "values": [labels[key]]}
        for field, operator in _OPERATORS.items()
        for key in term.get(field) or []
        if key in labels
    ]
    if selector is None or not added:
        return term
    expressions = [*(selector.get("matchExpressions") or []), *added]
    return {**term, "labelSelector": {**selector, "matchExpressions": expressions}}

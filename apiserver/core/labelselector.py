"""LabelSelectors as dicts: whether they are well-formed, what they match, how they read as text.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#resources-that-support-set-based-requirements
"""

from __future__ import annotations

from collections.abc import Mapping

from apiserver.core import field_errors, metadata
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause


def validate(selector: Json, path: str) -> list[Cause]:
    """Find what is wrong with a selector."""
    found = metadata.validate_labels(selector.get("matchLabels") or {}, f"{path}.matchLabels")
    for index, expression in enumerate(selector.get("matchExpressions") or []):
        found += _expression_causes(expression, f"{path}.matchExpressions[{index}]")
    return found


def is_empty(selector: Json) -> bool:
    """Whether a selector matches everything for having no requirement."""
    return not (selector.get("matchLabels") or selector.get("matchExpressions"))


def matches(selector: Json, labels: Mapping[str, str]) -> bool:
    """Whether a selector matches a set of labels."""
    wanted = (selector.get("matchLabels") or {}).items()
    return all(labels.get(key) == value for key, value in wanted) and all(
        _holds(expression, labels) for expression in selector.get("matchExpressions") or []
    )


def text(selector: Json | None) -> str:
    """Write a selector as `status.selector` of a Scale does: a=b,c in (d,e),!f."""
    if not selector:
        return ""
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    return ",".join([*parts, *(_expression_text(each) for each in selector.get("matchExpressions") or [])])


def _expression_text(expression: Json) -> str:
    key, values = expression.get("key", ""), ",".join(sorted(expression.get("values") or []))
    match expression.get("operator"):
        case "In":
            return f"{key} in ({values})"
        case "NotIn":
            return f"{key} notin ({values})"
        case "Exists":
            return str(key)
        case _:
            return f"!{key}"


def _holds(expression: Json, labels: Mapping[str, str]) -> bool:
    key, values = expression.get("key", ""), expression.get("values") or []
    match expression.get("operator"):
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return key not in labels or labels[key] not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def _expression_causes(expression: Json, path: str) -> list[Cause]:
    operator, values = expression.get("operator", ""), expression.get("values") or []
    found: list[Cause] = []
    if operator in {"In", "NotIn"}:
        if not values:
            found.append(
                field_errors.required(
                    f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"
                )
            )
    elif operator in {"Exists", "DoesNotExist"}:
        if values:
            text_ = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            found.append(field_errors.forbidden(f"{path}.values", text_))
    else:
        found.append(field_errors.invalid(f"{path}.operator", operator, "not a valid selector operator"))
    found += field_errors.each_invalid(
        f"{path}.key", expression.get("key", ""), names.label_key_errors(expression.get("key", ""))
    )
    for index, value in enumerate(values):
        found += field_errors.each_invalid(f"{path}.values[{index}]", value, names.label_value_errors(value))
    return found

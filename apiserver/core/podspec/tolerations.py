"""The rules of tolerations.

https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
"""

from __future__ import annotations

from apiserver.core import field_errors
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause
from machinery.model.taints import EFFECTS, NO_EXECUTE


def toleration_causes(tolerations: list[Json], path: str) -> list[Cause]:
    """Check tolerations one by one."""
    return [
        cause
        for index, toleration in enumerate(tolerations)
        for cause in _one_causes(toleration, f"{path}[{index}]")
    ]


def _one_causes(toleration: Json, path: str) -> list[Cause]:
    key, operator = toleration.get("key", ""), toleration.get("operator", "")
    effect = toleration.get("effect", "")
    found = field_errors.each_invalid(f"{path}.key", key, names.label_key_errors(key)) if key else []
    if not key and operator != "Exists":
        text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        found.append(field_errors.invalid(f"{path}.operator", operator, text))
    if "tolerationSeconds" in toleration and effect != NO_EXECUTE:
        text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        found.append(field_errors.invalid(f"{path}.effect", effect, text))
    found += _value_causes(operator, toleration.get("value", ""), f"{path}.operator")
    return found + (field_errors.one_of(f"{path}.effect", effect, [*EFFECTS]) if effect else [])


def _value_causes(operator: str, value: str, path: str) -> list[Cause]:
    match operator:
        case "" | "Equal":
            errors = names.label_value_errors(value)
            return [field_errors.invalid(path, value, ";".join(errors))] if errors else []
        case "Exists":
            text = "value must be empty when `operator` is 'Exists'"
            return [field_errors.invalid(path, value, text)] if value else []
        case _:
            return [field_errors.not_supported(path, operator, {"Equal", "Exists"})]

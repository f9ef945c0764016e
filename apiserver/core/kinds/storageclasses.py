"""StorageClasses.

https://kubernetes.io/docs/concepts/storage/storage-classes/
"""

from __future__ import annotations

from typing import Any, Final

from apiserver.core import field_errors
from apiserver.core.podspec.warnings import OLD_LABELS
from apiserver.core.rules import Rules, Validate
from apiserver.core.storage_parameters import parameter_causes
from apiserver.core.table import storage as table
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause

_RECLAIM_POLICIES: Final = frozenset({"Delete", "Retain"})
_BINDING_MODES: Final = frozenset({"Immediate", "WaitForFirstConsumer"})
_FIXED: Final = ("parameters", "provisioner", "reclaimPolicy")


def _default(obj: Json) -> Json:
    obj.setdefault("reclaimPolicy", "Delete")
    obj.setdefault("volumeBindingMode", "Immediate")
    return obj


def _validate(obj: Json) -> list[Cause]:
    provisioner = obj.get("provisioner", "")
    if provisioner:
        errors = names.label_key_errors(provisioner.lower())
        found = field_errors.each_invalid("provisioner", provisioner.lower(), errors)
    else:
        found = [field_errors.required("provisioner")]
    found += parameter_causes(obj.get("parameters") or {}, "parameters")
    if policy := obj["reclaimPolicy"]:
        found += field_errors.one_of("reclaimPolicy", policy, _RECLAIM_POLICIES)
    found += field_errors.one_of("volumeBindingMode", obj["volumeBindingMode"], _BINDING_MODES)
    return found + _topology_causes(obj.get("allowedTopologies") or [], "allowedTopologies")


def _topology_causes(terms: list[Json], path: str) -> list[Cause]:
    found: list[Cause] = []
    seen: list[Any] = []
    for index, term in enumerate(terms):
        where, expressions = f"{path}[{index}].matchLabelExpressions", term.get("matchLabelExpressions") or []
        found += _expression_causes(expressions, where)
        meaning = {each.get("key", ""): set(each.get("values") or []) for each in expressions}
        if meaning in seen:
            found.append(field_errors.duplicate(where, ""))
        seen.append(meaning)
    return found


def _expression_causes(expressions: list[Json], path: str) -> list[Cause]:
    found: list[Cause] = []
    again = set(field_errors.repeated(each.get("key", "") for each in expressions))
    for index, expression in enumerate(expressions):
        where, key, values = f"{path}[{index}]", expression.get("key", ""), expression.get("values") or []
        if not values:
            found.append(field_errors.required(f"{where}.values"))
        found += [
            field_errors.duplicate(f"{where}.values[{number}]", values[number])
            for number in field_errors.repeated(values)
        ]
        found += field_errors.each_invalid(f"{where}.key", key, names.label_key_errors(key))
        if index in again:
            found.append(field_errors.duplicate(f"{where}.key", key))
    return found


def _validate_update(new: Json, old: Json) -> list[Cause]:
    found = [
        field_errors.forbidden(name, f"updates to {name} are forbidden.")
        for name in _FIXED
        if (new.get(name) or {}) != (old.get(name) or {})
    ]
    modes = new["volumeBindingMode"], old.get("volumeBindingMode")
    return found + field_errors.unchanged("volumeBindingMode", *modes)


def _warnings(new: Json, _old: Json | None) -> tuple[str, ...]:
    return tuple(
        f"allowedTopologies[{index}].matchLabelExpressions[{number}].key: {key} is {OLD_LABELS[key]}"
        for index, topology in enumerate(new.get("allowedTopologies") or ())
        for number, expression in enumerate(topology.get("matchLabelExpressions") or ())
        if (key := expression.get("key", "")) in OLD_LABELS
    )


RULES: Final = Rules(
    default=_default,
    validate=Validate(create=_validate, update=_validate_update),
    deletion_returns_object=True,
    warnings=_warnings,
    table=table.STORAGE_CLASSES,
)

"""ResourceQuotas.

https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from apiserver.core import field_errors
from apiserver.core.resource_names import is_quota_name, quota_amount_causes, quota_name_causes
from apiserver.core.rules import Prepare, Rules, Validate, WriteContext, with_old_status
from apiserver.core.table import policy as table
from apiserver.core.values import Json, spec
from machinery.model.errors import Cause

_OF_PODS: Final = frozenset({"pods"})
_COMPUTE: Final = frozenset(
    {f"{prefix}{name}" for prefix in ("", "limits.", "requests.") for name in ("cpu", "memory")}
)
_OF_CLAIMS: Final = frozenset({"persistentvolumeclaims", "requests.storage"})
_SCOPES: Final = {  # what can be counted in each
    "BestEffort": _OF_PODS,
    "CrossNamespacePodAffinity": _OF_PODS | _COMPUTE,
    "NotBestEffort": _OF_PODS | _COMPUTE,
    "NotTerminating": _OF_PODS | _COMPUTE,
    "PriorityClass": _OF_PODS | _COMPUTE,
    "Terminating": _OF_PODS | _COMPUTE,
    "VolumeAttributesClass": _OF_CLAIMS,
}
_WITHOUT_VALUES: Final = frozenset(_SCOPES) - {"PriorityClass", "VolumeAttributesClass"}
_OPPOSITES: Final = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
_EXISTS_TEXT: Final = (
    "must be 'Exist' only operator when scope is any of ResourceQuotaScopeTerminating, "
    "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or "
    "ResourceQuotaScopeCrossNamespacePodAffinity"
)


def _default(obj: Json) -> Json:
    obj.setdefault("spec", {})
    obj.setdefault("status", {})
    return obj


def _prepare_create(obj: Json, _context: WriteContext) -> Json:
    return {**obj, "status": {}}


def _validate(obj: Json) -> list[Cause]:
    own = spec(obj)
    hard, scopes = own.get("hard") or {}, own.get("scopes") or []
    found = _amount_causes(hard, "spec.hard")
    for scope in scopes:
        if scope not in _SCOPES:
            found.append(field_errors.invalid("spec.scopes", scopes, "unsupported scope"))
        found += [
            field_errors.invalid("spec.scopes", scopes, "unsupported scope applied to resource")
            for _ in _outside(scope, hard)
        ]
    found += _opposite_causes(scopes, scopes, "spec.scopes")
    if "scopeSelector" in own:
        found += _selector_causes(own, hard, "spec.scopeSelector.matchExpressions")
    return found


def _amount_causes(amounts: Json, path: str) -> list[Cause]:
    return [
        cause
        for name, amount in amounts.items()
        for cause in (
            *quota_name_causes(name, f"{path}[{name}]"),
            *quota_amount_causes(name, amount, f"{path}[{name}]"),
        )
    ]


def _outside(scope: str, hard: Json) -> list[str]:
    """Return what a scope cannot count."""
    known = _SCOPES.get(scope)
    return [name for name in sorted(hard) if known is not None and is_quota_name(name) and name not in known]


def _opposite_causes(scopes: Iterable[str], shown: list[str] | None, path: str) -> list[Cause]:
    chosen = set(scopes)
    return [field_errors.invalid(path, shown, "conflicting scopes") for pair in _OPPOSITES if pair <= chosen]


def _selector_causes(own: Json, hard: Json, path: str) -> list[Cause]:
    selector = own["scopeSelector"]
    expressions = selector.get("matchExpressions") or []
    found: list[Cause] = []
    for each in expressions:
        scope = each.get("scopeName", "")
        if scope not in _SCOPES:
            found.append(field_errors.invalid(f"{path}.scopeName", scope, "unsupported scope"))
        text = "unsupported scope applied to resource"
        found += [field_errors.invalid(path, selector, text) for _ in _outside(scope, hard)]
        found += _expression_causes(each, scope, path)
    names_ = [each.get("scopeName", "") for each in expressions]
    return found + _opposite_causes(names_, own.get("scopes"), path)


def _expression_causes(expression: Json, scope: str, path: str) -> list[Cause]:
    operator, values = expression.get("operator", ""), expression.get("values") or []
    found: list[Cause] = []
    if scope in _WITHOUT_VALUES and operator != "Exists":
        found.append(field_errors.invalid(f"{path}.operator", operator, _EXISTS_TEXT))
    if operator in {"In", "NotIn"}:
        if not values:
            text = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            found.append(field_errors.required(f"{path}.values", text))
    elif operator in {"Exists", "DoesNotExist"}:
        if values:
            text = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            found.append(field_errors.invalid(f"{path}.values", values, text))
    else:
        found.append(field_errors.invalid(f"{path}.operator", operator, "not a valid selector operator"))
    return found


def _validate_update(new: Json, old: Json) -> list[Cause]:
    scopes, before = spec(new).get("scopes") or [], spec(old).get("scopes") or []
    found = _validate(new)
    if set(scopes) != set(before):
        found.append(field_errors.invalid("spec.scopes", scopes, "field is immutable"))
    return found


def _validate_status(new: Json, _old: Json) -> list[Cause]:
    status = new.get("status") or {}
    return [
        cause
        for name in ("hard", "used")
        for cause in _amount_causes(status.get(name) or {}, f"status.{name}")
    ]


RULES: Final = Rules(
    default=_default,
    prepare=Prepare(create=_prepare_create, update=with_old_status),
    validate=Validate(create=_validate, update=_validate_update, status=_validate_status),
    deletion_returns_object=True,
    table=table.RESOURCE_QUOTAS,
)

"""MutatingAdmissionPolicies, and what binds them.

https://kubernetes.io/docs/reference/access-authn-authz/mutating-admission-policy/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.match_rules import (
    REINVOCATION_POLICIES,
    CheckExpression,
    Expression,
    expression_causes,
)
from apiserver.core.policy_rules import (
    binding_causes,
    default_binding,
    default_policy,
    head_causes,
    validate_by,
    variables_of,
)
from apiserver.core.rules import Rules, Validate
from apiserver.core.table import admission as table
from apiserver.core.values import Json, spec
from machinery.model.errors import Cause

_PATCHES: Final = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}
_FORBIDDEN_OPERATIONS: Final = frozenset({"DELETE"})


def policies(check: CheckExpression) -> Rules:
    """Return the rules of policies; `check` compiles their expressions."""
    return Rules(
        default=_default,
        validate=validate_by(_causes, check),
        counts_generation=True,
        unconditional_update=False,
        table=table.MUTATING_ADMISSION_POLICIES,
    )


def _default(obj: Json) -> Json:
    own = default_policy(obj.setdefault("spec", {}))
    own.setdefault("reinvocationPolicy", "Never")
    return obj


def _causes(obj: Json, check: CheckExpression, old: Json) -> list[Cause]:
    own = spec(obj)
    found = head_causes(own, "spec", check, old)
    for index, rule in enumerate((own.get("matchConstraints") or {}).get("resourceRules") or []):
        for number, operation in enumerate(rule.get("operations") or []):
            if operation in _FORBIDDEN_OPERATIONS:
                where = f"spec.matchConstraints.resourceRules[{index}].operations[{number}]"
                supported = frozenset({"*", "CONNECT", "CREATE", "UPDATE"})
                found.append(field_errors.not_supported(where, operation, supported))
    mutations = own.get("mutations") or []
    if not mutations:
        text = "mutations must contain at least one item"
        found.append(field_errors.required("spec.mutations", text))
    for index, mutation in enumerate(mutations):
        found += _mutation_causes(mutation, f"spec.mutations[{index}]", own, check)
    policy = own["reinvocationPolicy"]
    return found + field_errors.one_of("spec.reinvocationPolicy", policy, REINVOCATION_POLICIES)


def _mutation_causes(mutation: Json, path: str, own: Json, check: CheckExpression) -> list[Cause]:
    type_ = mutation.get("patchType", "")
    if type_ not in _PATCHES:
        where = f"{path}.patchType"
        return (
            [field_errors.not_supported(where, type_, frozenset(_PATCHES))]
            if type_
            else [field_errors.required(where)]
        )
    wanted = _PATCHES[type_]
    found = [
        field_errors.forbidden(f"{path}.{name}", f"must not be set when patchType is {type_}")
        for name in _PATCHES.values()
        if name != wanted and name in mutation
    ]
    if wanted not in mutation:
        text = f"must be specified when patchType is {type_}"
        return [*found, field_errors.required(f"{path}.{wanted}", text)]
    text, where = mutation[wanted].get("expression", ""), f"{path}.{wanted}.expression"
    if not text.strip():
        return [*found, field_errors.required(where, "expression is not specified")]
    expression = Expression(text, "paramKind" in own, variables=variables_of(own), returns=wanted)
    return found + expression_causes(expression, where, check)


def _default_binding(obj: Json) -> Json:
    default_binding(obj.setdefault("spec", {}))
    return obj


def _validate_binding(obj: Json) -> list[Cause]:
    return binding_causes(spec(obj), "spec")


BINDINGS: Final = Rules(
    default=_default_binding,
    validate=Validate(create=_validate_binding, update=lambda new, _old: _validate_binding(new)),
    counts_generation=True,
    unconditional_update=False,
    table=table.POLICY_BINDINGS,
)

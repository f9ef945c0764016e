"""ValidatingAdmissionPolicies, and what binds them.

https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from apiserver.core import field_errors
from apiserver.core.conditions import condition_causes
from apiserver.core.match_rules import CheckExpression, Expression, expression_causes
from apiserver.core.policy_rules import (
    binding_causes,
    default_binding,
    default_policy,
    expressions_of,
    head_causes,
    validate_by,
    variables_of,
)
from apiserver.core.rules import OWN_METADATA, Prepare, Rules, Validate, with_empty_status, with_old_status
from apiserver.core.table import admission as table
from apiserver.core.values import Json, spec
from machinery.model import names
from machinery.model.errors import Cause

_REASONS: Final = frozenset({"Forbidden", "Invalid", "RequestEntityTooLarge"})
_ACTIONS: Final = frozenset({"Audit", "Deny", "Warn"})
_MOST_ANNOTATIONS: Final = 20
_LONGEST_VALUE: Final = 5 * 1024
_NEWLINE: Final = re.compile("[\n\r]")


def policies(check: CheckExpression) -> Rules:
    """Return the rules of policies; `check` compiles their expressions."""
    return Rules(
        default=_default,
        prepare=Prepare(create=with_empty_status, update=with_old_status),
        validate=replace(validate_by(_causes, check), status=_validate_status),
        counts_generation=True,
        unconditional_update=False,
        status_keeps=OWN_METADATA,
        table=table.VALIDATING_ADMISSION_POLICIES,
    )


def _default(obj: Json) -> Json:
    default_policy(obj.setdefault("spec", {}))
    return obj


def _causes(obj: Json, check: CheckExpression, old: Json) -> list[Cause]:
    own = spec(obj)
    found = head_causes(own, "spec", check, old)
    validations, annotations = own.get("validations") or [], own.get("auditAnnotations") or []
    if not validations and not annotations:
        text = "validations or auditAnnotations must contain at least one item"
        return found + [
            field_errors.required(f"spec.{name}", text) for name in ("validations", "auditAnnotations")
        ]
    known = expressions_of(old, "validations") | expressions_of(old, "validations", "messageExpression")
    if own.get("variables") != old.get("variables") or own.get("paramKind") != old.get("paramKind"):
        known = frozenset()
    for index, validation in enumerate(validations):
        found += _validation_causes(validation, f"spec.validations[{index}]", own, check, known)
    return found + _annotation_list_causes(obj, annotations, check)


def _validation_causes(
    validation: Json, path: str, own: Json, check: CheckExpression, known: frozenset[str]
) -> list[Cause]:
    text, said = validation.get("expression", ""), validation.get("messageExpression", "")
    variables, has_params = variables_of(own), "paramKind" in own
    found: list[Cause] = []
    if not text.strip():
        found.append(field_errors.required(f"{path}.expression", "expression is not specified"))
    elif text.strip() not in known:
        expression = Expression(text, has_params, variables=variables)
        found += expression_causes(expression, f"{path}.expression", check)
    if said and not said.strip():
        text_ = "must be non-empty if specified"
        found.append(field_errors.invalid(f"{path}.messageExpression", said, text_))
    elif said and said.strip() not in known:
        expression = Expression(said, has_params, has_authorizer=False, variables=variables, returns="string")
        found += expression_causes(expression, f"{path}.messageExpression", check)
    message = validation.get("message", "")
    if message and not message.strip():
        text_ = "message must be non-empty if specified"
        found.append(field_errors.invalid(f"{path}.message", message, text_))
    elif _NEWLINE.search(message.strip()):
        text_ = "message must not contain line breaks"
        found.append(field_errors.invalid(f"{path}.message", message, text_))
    if "reason" in validation:
        found += field_errors.one_of(f"{path}.reason", validation["reason"], _REASONS)
    return found


def _annotation_list_causes(obj: Json, annotations: list[Json], check: CheckExpression) -> list[Cause]:
    path = "spec.auditAnnotations"
    found: list[Cause] = []
    if len(annotations) > _MOST_ANNOTATIONS:
        text = f"must not have more than {_MOST_ANNOTATIONS} auditAnnotations"
        found.append(field_errors.invalid(path, annotations, text))
    again = set(field_errors.repeated(each.get("key", "") for each in annotations))
    for index, annotation in enumerate(annotations):
        found += _annotation_causes(obj, annotation, f"{path}[{index}]", check)
        if index in again:
            found.append(field_errors.duplicate(f"{path}[{index}].key", annotation.get("key", "")))
    return found


def _annotation_causes(obj: Json, annotation: Json, path: str, check: CheckExpression) -> list[Cause]:
    name, key = obj["metadata"].get("name", ""), annotation.get("key", "")
    if name:
        full = f"{name}/{key}"
        found = field_errors.each_invalid(f"{path}.key", full, names.label_key_errors(full))
    else:
        found = [field_errors.invalid(f"{path}.key", key, "requires metadata.name be non-empty")]
    text, where = annotation.get("valueExpression", "").strip(), f"{path}.valueExpression"
    if not text:
        return [*found, field_errors.required(where, "valueExpression is not specified")]
    if len(text.encode()) > _LONGEST_VALUE:
        return [*found, field_errors.required(where, f"must not exceed {_LONGEST_VALUE} bytes in length")]
    own = spec(obj)
    expression = Expression(text, "paramKind" in own, variables=variables_of(own), returns="annotation")
    return found + expression_causes(expression, where, check)


def _validate_status(new: Json, _old: Json) -> list[Cause]:
    status = new.get("status") or {}
    warnings = (status.get("typeChecking") or {}).get("expressionWarnings") or []
    found = [
        field_errors.required(f"status.typeChecking.expressionWarnings[{index}].{name}")
        for index, warning in enumerate(warnings)
        for name in ("warning", "fieldRef")
        if not warning.get(name, "").strip()
    ]
    return found + condition_causes(status.get("conditions") or [], "status.conditions")


def _default_binding(obj: Json) -> Json:
    default_binding(obj.setdefault("spec", {}))
    return obj


def _validate_binding(obj: Json) -> list[Cause]:
    own = spec(obj)
    actions, path = own.get("validationActions") or [], "spec.validationActions"
    again = set(field_errors.repeated(actions))
    found = binding_causes(own, "spec")
    for index, action in enumerate(actions):
        found += field_errors.one_of(f"{path}[{index}]", action, _ACTIONS)
        if index in again:
            found.append(field_errors.duplicate(f"{path}[{index}]", action))
    if {"Deny", "Warn"} <= set(actions):
        text = (
            "must not contain both Deny and Warn (repeating the same validation failure information in the API "
            "response and headers serves no purpose)"
        )
        found.append(field_errors.invalid(path, actions, text))
    if not actions:
        found.append(field_errors.required(path, "at least one validation action is required"))
    return found


BINDINGS: Final = Rules(
    default=_default_binding,
    validate=Validate(create=_validate_binding, update=lambda new, _old: _validate_binding(new)),
    counts_generation=True,
    unconditional_update=False,
    table=table.POLICY_BINDINGS,
)

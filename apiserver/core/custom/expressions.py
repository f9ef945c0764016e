"""Expressions of a schema (x-kubernetes-validations): which are tried on which value, and what is said of them.

The language is not here: `CompileRule` makes a `RuleProgram` of an expression and the schema that it stands in.
https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules
Of what has not changed, rules that hold of a value alone are warnings; those that compare it with the old one (transition
rules) are tried where there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Protocol, TypeAlias

from apiserver.core import field_errors
from apiserver.core.custom.fieldpath import normalized
from apiserver.core.custom.problems import NOWHERE
from apiserver.core.custom.structural import META_FIELDS, Structural, canonical
from apiserver.core.custom.values import MISSING, equal, item_key
from apiserver.core.values import Json
from machinery.model.errors import Cause

OBJECT_BUDGET: Final = 10_000_000  # cost units of all rules of one object, as Kubernetes bounds them
CALL_BUDGET: Final = 1_000_000  # of one evaluation
MOST_HELD: Final = 2048  # values of a field that are remembered, by their hashes
_CANCELLED: Final = "operation cancelled: actual cost limit exceeded"
_LONGEST_MESSAGE: Final = 5 * 1024  # bytes
_NO_MORE: Final = "no further validation rules will be run"
_OUT_OF_BUDGET: Final = f"validation failed due to running out of cost budget, {_NO_MORE}"
_MESSAGE_OUT_OF_BUDGET: Final = (
    f"messageExpression evaluation failed due to running out of cost budget, {_NO_MORE}"
)
_SPENT: Final = -1  # what is left where no more is to be evaluated


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an expression came to: a value, or the error that it ended in; and what it cost."""

    value: Any = None
    error: str = ""
    cost: int = 0


class RuleProgram(Protocol):
    """A compiled expression. It never raises and ends within `budget` cost units, with an error that says so."""

    @property
    def uses_old_self(self) -> bool:
        """Whether it compares with the old value."""
        ...

    def run(self, self_value: Any, old_self: Any, budget: int) -> Outcome:
        """Evaluate it; `old_self` is MISSING where there is no old value."""
        ...


CompileRule: TypeAlias = Callable[[str, Structural, bool], RuleProgram]
"""Compiles an expression of a schema; the last argument says whether its `oldSelf` is an optional.

It raises ValueError where it is none.
"""


@dataclass(slots=True)
class _Try:
    """One object being checked."""

    compile: CompileRule
    left: int
    found: list[Cause] = field(default_factory=list)


def check_rules(
    value: Any, schema: Structural, compile_rule: CompileRule, old: Any = MISSING, budget: int = OBJECT_BUDGET
) -> list[Cause]:
    """Find the rules of a schema that an object breaks, in the order of the document.

    What is broken by a value that has not changed is `Ratcheted`.
    """
    walk = _Try(compile_rule, budget)
    _check(walk, value, schema, "", old, is_kept=False)
    return walk.found


def _check(walk: _Try, value: Any, schema: Structural, path: str, old: Any, *, is_kept: bool) -> None:
    """Check a value; `is_kept` says that it lies in one that has not changed and has no old value of its own."""
    if value is None or walk.left < 0:
        return
    if schema.rules and walk.left == 0:
        walk.left = _SPENT
        walk.found.append(field_errors.invalid(path or NOWHERE, schema.raw.get("type") or "", _OUT_OF_BUDGET))
        return
    if schema.rules:
        unchanged = equal(value, old) if old is not MISSING else is_kept
        for rule in schema.rules:
            _try(walk, rule, value, schema, path, old, is_kept=unchanged)
            if walk.left < 0:
                return
    for name, item, inner, before in _children(value, schema, old):
        if not path and before is not MISSING and equal(item, before):
            _check_unchanged(walk, item, inner, name.removeprefix("."), before)
            continue
        kept = before is MISSING and (is_kept or (old is not MISSING and equal(value, old)))
        _check(walk, item, inner, f"{path}{name}".removeprefix("."), before, is_kept=kept)


def _check_unchanged(walk: _Try, value: Any, schema: Structural, path: str, old: Any) -> None:
    """Check a field of the whole that has not changed: rules that held of it hold again, at the same cost.

    What a rule comes to depends on the value alone, as the old one is the same.
    """
    key = (walk.compile, sha256(canonical(value)).digest())
    cost = schema.held.get(key)
    if cost is not None and cost < walk.left:
        walk.left -= cost
        return
    before, told = walk.left, len(walk.found)
    _check(walk, value, schema, path, old, is_kept=False)
    if len(walk.found) == told and walk.left >= 0:
        if len(schema.held) >= MOST_HELD:
            schema.held.clear()
        schema.held[key] = before - walk.left


def _children(value: Any, schema: Structural, old: Any) -> Iterator[tuple[str, Any, Structural, Any]]:
    if isinstance(value, dict):
        olds = old if isinstance(old, dict) and schema.raw.get("x-kubernetes-map-type") != "atomic" else {}
        for name, item in value.items():
            if schema.is_resource and name in META_FIELDS:
                continue
            if name in schema.properties:
                yield f".{name}", item, schema.properties[name], olds.get(name, MISSING)
            elif schema.additional is not None:
                yield f"[{name}]", item, schema.additional, olds.get(name, MISSING)
    elif isinstance(value, list) and schema.items is not None:
        by_key: dict[bytes, Any] = {}
        if schema.list_type == "map" and isinstance(old, list):
            by_key = {item_key(each, schema.map_keys): each for each in old}
        for index, item in enumerate(value):
            before = by_key.get(item_key(item, schema.map_keys), MISSING) if by_key else MISSING
            yield f"[{index}]", item, schema.items, before


def _try(
    walk: _Try, rule: Json, value: Any, schema: Structural, path: str, old: Any, *, is_kept: bool
) -> None:
    text = (rule.get("rule") or "").strip()
    if not text:
        return
    where, kind = path or NOWHERE, schema.raw.get("type") or ""
    try:
        program = walk.compile(text, schema, bool(rule.get("optionalOldSelf")))
    except ValueError as error:
        walk.found.append(field_errors.invalid(where, kind, f"rule compile error: {error}"))
        return
    if program.uses_old_self and old is MISSING and not rule.get("optionalOldSelf"):
        return
    outcome = program.run(value, old, min(walk.left, CALL_BUDGET))
    if outcome.cost > walk.left:
        walk.left = _SPENT
        walk.found.append(field_errors.invalid(where, kind, _OUT_OF_BUDGET))
        return
    walk.left -= outcome.cost
    if outcome.error == _CANCELLED:
        walk.left = _SPENT
        text = f"'{_CANCELLED}': {_NO_MORE} due to call cost exceeds limit for rule: {_said(rule)}"
        walk.found.append(field_errors.invalid(where, kind, text))
    elif outcome.error:
        walk.found.append(field_errors.invalid(where, kind, _failed(outcome.error, rule)))
    elif outcome.value is not True:
        cause = _why_broken(walk, rule, value, schema, path, old)
        if is_kept and not program.uses_old_self:
            cause = field_errors.Ratcheted(cause.field, cause.message, cause.reason)
        walk.found.append(cause)


def _why_broken(walk: _Try, rule: Json, value: Any, schema: Structural, path: str, old: Any) -> Cause:
    kind, inner = schema.raw.get("type") or "", rule.get("fieldPath")
    below = normalized(inner, schema.raw).removeprefix(".") if inner else ""
    pointed = ".".join(filter(None, (path, below))) or NOWHERE
    message = _own_message(walk, rule, value, schema, old)
    if walk.left < 0:
        return field_errors.invalid(pointed, kind, message)
    default = _said(rule) if rule.get("message") else f"failed rule: {_said(rule)}"
    return _broken(pointed, kind, message or default, rule.get("reason"))


def _failed(error: str, rule: Json) -> str:
    if error.startswith("no such overload"):
        text = "call arguments did not match a supported operator, function or macro signature for rule"
        return f"'{error}': {text}: {_said(rule)}"
    return f"{error} evaluating rule: {_said(rule)}"


def _broken(path: str, kind: str, message: str, reason: str | None) -> Cause:
    match reason:
        case "FieldValueForbidden":
            return field_errors.forbidden(path, message)
        case "FieldValueRequired":
            return field_errors.required(path, message)
        case "FieldValueDuplicate":
            return field_errors.duplicate(path, kind)
        case _:
            return field_errors.invalid(path, kind, message)


def _own_message(walk: _Try, rule: Json, value: Any, schema: Structural, old: Any) -> str:
    """Return what a rule's messageExpression says, "" where it says nothing that can be told; or why it cost too much."""
    expression = (rule.get("messageExpression") or "").strip()
    if not expression:
        return ""
    try:
        program = walk.compile(expression, schema, bool(rule.get("optionalOldSelf")))
    except ValueError:
        return ""
    outcome = program.run(value, old, min(walk.left, CALL_BUDGET))
    if outcome.cost > walk.left:
        walk.left = _SPENT
        return _MESSAGE_OUT_OF_BUDGET
    walk.left -= outcome.cost
    if outcome.error == _CANCELLED:
        walk.left = _SPENT
        quoted = field_errors.quoted(rule["messageExpression"])
        return f"{_NO_MORE} due to call cost exceeds limit for messageExpression: {quoted}"
    text = outcome.value.strip() if isinstance(outcome.value, str) else ""
    is_told = not outcome.error and "\n" not in text and len(text.encode()) <= _LONGEST_MESSAGE
    return text if is_told else ""


def _said(rule: Json) -> str:
    return str(rule.get("message") or rule.get("rule") or "").strip()

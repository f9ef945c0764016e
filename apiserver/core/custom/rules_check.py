"""Whether the expressions of a schema compile, and what they may cost: checked before a definition is stored.

An expression below lists and maps may be evaluated once for each of their items: as many as the schema allows, or else as
fit into a request. What one may cost at most, and all of a schema together, is bounded.
https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#resource-use-by-validation-functions
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

from apiserver.core import field_errors
from apiserver.core.custom import expressions
from apiserver.core.custom.problems import NOWHERE
from apiserver.core.custom.rule_programs import NO_TYPE, RuleOfSchema, compile_rule, compile_typed
from apiserver.core.custom.structural import Structural
from apiserver.core.values import Json
from machinery.cel import (
    ESTIMATED_PER_DEFINITION,
    ESTIMATED_PER_RULE,
    CompileError,
    Kind,
    Type,
    escape,
    type_from_schema,
)
from machinery.cel.schema import REQUEST_BYTES
from machinery.model.errors import Cause

_NAMED: Final = 4  # expressions that are told of where all together cost too much
_WORTH_NAMING: Final = ESTIMATED_PER_DEFINITION // 100
_HINT: Final = (
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and "
    "strings are declared)"
)
_TOGETHER: Final = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a schema stands."""

    path: str
    times: int | None = 1  # how often its values may be there; None: as often as fits into a request
    type: Type | None = None  # of its values, where it is known already
    apart: str = ""  # the path of a list whose items cannot be told apart, so that there is no oldSelf below


@dataclass(slots=True)
class _Checking:
    """One schema being checked."""

    known: bool = False  # it was stored so before: what one expression costs is not looked at again
    found: list[Cause] = field(default_factory=list)
    total: int = 0
    costs: list[tuple[int, str]] = field(default_factory=list)

    def observe(self, path: str, cost: int) -> None:
        """Add what an expression may cost."""
        self.total += cost
        if cost >= _WORTH_NAMING:
            self.costs.append((cost, path))


def check_rules(schema: Json, path: str, *, known: bool = False) -> list[Cause]:
    """Find what is wrong with the expressions of a structural schema, and with defaults that break them.

    A schema that is `known` was stored so before, perhaps by a server that estimated costs otherwise.
    """
    checking = _Checking(known)
    _check(checking, schema, _Place(path), is_root=True)
    if checking.total > ESTIMATED_PER_DEFINITION:
        text = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
        most = sorted(checking.costs, key=lambda each: -each[0])[:_NAMED]
        checking.found += [field_errors.forbidden(where, text) for _, where in most]
        checking.found.append(
            field_errors.forbidden(path, _too_dear(_TOGETHER, checking.total, ESTIMATED_PER_DEFINITION))
        )
    return checking.found or _default_causes(schema, path, is_root=True)


def _check(checking: _Checking, schema: Json, place: _Place, *, is_root: bool = False) -> None:
    rules = schema.get("x-kubernetes-validations") or ()
    if rules and place.type is None:
        place = replace(place, type=type_from_schema(schema, root=is_root))
    for inner, where in _children(schema, place):
        _check(checking, inner, where)
    if rules and place.type is None:
        at = f"{place.path}.x-kubernetes-validations"
        checking.found.append(Cause(at, f"Internal error: internal error: {NO_TYPE}", "InternalError"))
        return
    for index, rule in enumerate(rules):
        _check_rule(checking, rule, place, f"{place.path}.x-kubernetes-validations[{index}]")


def _children(schema: Json, place: _Place) -> list[tuple[Json, _Place]]:
    known, found = place.type, []
    times = _multiplied(place.times, _most_inside(schema))
    inside = replace(place, times=times, type=None)
    atomic = schema.get("x-kubernetes-map-type") == "atomic"
    for name, inner in (schema.get("properties") or {}).items():
        named = known.fields.get(escape(name) or "") if known is not None else None
        path = f"{place.path}.properties[{name}]"
        apart = place.apart or (path if atomic else "")
        found.append((inner, replace(inside, path=path, type=named.type if named else None, apart=apart)))
    element = known.element if known is not None and known.parameters else None
    if isinstance(schema.get("additionalProperties"), dict):
        where = replace(inside, path=f"{place.path}.additionalProperties", type=element)
        found.append((schema["additionalProperties"], where))
    if isinstance(schema.get("items"), dict):
        path = f"{place.path}.items"
        apart = place.apart or ("" if schema.get("x-kubernetes-list-type") == "map" else path)
        found.append((schema["items"], replace(inside, path=path, type=element, apart=apart)))
    return found


def _most_inside(schema: Json) -> int | None:
    """Return how many values there may be for each of a schema's children; None: there is no bound."""
    kind = schema.get("type")
    if kind == "array":
        most = schema.get("maxItems")
    elif kind == "object" and schema.get("additionalProperties") is not None:
        most = schema.get("maxProperties")
    else:
        return 1
    return None if most is None else max(most, 0)


def _multiplied(times: int | None, most: int | None) -> int | None:
    return None if times is None or most is None else times * most


def _check_rule(checking: _Checking, rule: Json, place: _Place, where: str) -> None:
    text, declared = rule.get("rule") or "", place.type
    if not text.strip() or declared is None:
        return
    optional = bool(rule.get("optionalOldSelf"))
    try:
        compiled = compile_typed(text, declared, optional=optional)
    except CompileError as error:
        checking.found.append(field_errors.invalid(f"{where}.rule", rule, f"compilation failed: {error}"))
        return
    if compiled.program.type.kind is not Kind.BOOL:
        detail = "cel expression must evaluate to a bool"
        checking.found.append(field_errors.invalid(f"{where}.rule", rule, detail))
        return
    cost = compiled.program.cost.high * _times(place, declared)
    _check_cost(checking, f"{where}.rule", "estimated rule cost", cost)
    _check_message(checking, rule, declared, where)
    _check_old_self(checking, rule, compiled, place, where)


def _times(place: _Place, declared: Type) -> int:
    return REQUEST_BYTES // (declared.min_size + 1) if place.times is None else place.times


def _check_cost(checking: _Checking, where: str, what: str, cost: int) -> None:
    if cost > ESTIMATED_PER_RULE and not checking.known:
        checking.found.append(field_errors.forbidden(where, _too_dear(what, cost, ESTIMATED_PER_RULE)))
    checking.observe(where, cost)


def _check_message(checking: _Checking, rule: Json, declared: Type, where: str) -> None:
    text, place = rule.get("messageExpression") or "", f"{where}.messageExpression"
    if not text.strip():
        return
    try:
        compiled = compile_typed(text, declared, optional=bool(rule.get("optionalOldSelf")))
    except CompileError as error:
        detail = f"messageExpression compilation failed: {error}"
        checking.found.append(field_errors.invalid(place, rule, detail))
        return
    if compiled.program.type.kind is not Kind.STRING:
        detail = "messageExpression must evaluate to a string"
        checking.found.append(field_errors.invalid(place, rule, detail))
        return
    _check_cost(checking, place, "estimated messageExpression cost", compiled.program.cost.high)


def _check_old_self(
    checking: _Checking, rule: Json, compiled: RuleOfSchema, place: _Place, where: str
) -> None:
    if compiled.uses_old_self and place.apart:
        text = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {place.apart}"
        checking.found.append(field_errors.invalid(f"{where}.rule", rule["rule"], text))
    elif not compiled.uses_old_self and rule.get("optionalOldSelf") is not None:
        text = "may not be set if oldSelf is not used in rule"
        checking.found.append(field_errors.invalid(f"{where}.optionalOldSelf", rule["optionalOldSelf"], text))


def _too_dear(what: str, cost: int, limit: int) -> str:
    factor = cost / limit
    exact = f"{factor:f}x" if factor < 1.5 else f"{factor:.1f}x"
    told = "more than 100x" if factor > 100 else exact
    return f"{what} exceeds budget by factor of {told} {_HINT}"


def _default_causes(schema: Json, path: str, *, is_root: bool = False) -> list[Cause]:
    """Find defaults that break the rules of their own schema."""
    found: list[Cause] = []
    default: Any = schema.get("default")
    if default is not None:
        broken = expressions.check_rules(default, Structural(schema, resource=is_root), compile_rule)
        found += [_inside(cause, f"{path}.default") for cause in broken]
    for name, inner in (schema.get("properties") or {}).items():
        found += _default_causes(inner, f"{path}.properties[{name}]")
    if isinstance(schema.get("items"), dict):
        found += _default_causes(schema["items"], f"{path}.items")
    return found


def _inside(cause: Cause, path: str) -> Cause:
    """Return what is wrong inside a value as what is wrong at the path of the value."""
    return replace(cause, field=path if cause.field == NOWHERE else f"{path}.{cause.field}")

"""Each expression of a policy, checked with the types of the kinds that it is about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from machinery.cel import DYN, CompileError, Environment, Type, compile_expression
from machinery.cel.admission import admission_environment, with_variables
from machinery.model.json_objects import Json


class TypedKind(NamedTuple):
    """A kind as warnings name it, and its type."""

    name: str
    type: Type


def warnings(policy: Json, kinds: Sequence[TypedKind], params: Type | None) -> list[Json]:
    """Return what is likely wrong (v1.ExpressionWarning), in the order of the policy; its variables have types, too.

    `params` is the type of the policy's params; None where it has none, or where nothing is known of them.
    """
    environments = [(each.name, _environment(policy, each.type, params)) for each in kinds]
    return [
        {"fieldRef": path, "warning": "\n".join(found)}
        for path, text in _expressions(policy)
        if (found := [f"{name}: {why}\n" for name, each in environments if (why := _problem(text, each))])
    ]


def _expressions(policy: Json) -> Iterator[tuple[str, str]]:
    for index, rule in enumerate(policy.get("validations") or ()):
        for field in ("expression", "messageExpression"):
            if text := rule.get(field):
                yield f"spec.validations[{index}].{field}", text


def _environment(policy: Json, object_type: Type, params: Type | None) -> Environment:
    environment = admission_environment().extend(
        object=object_type, oldObject=object_type, **({} if params is None else {"params": params})
    )
    types: dict[str, Type] = {}
    for variable in policy.get("variables") or ():
        types[variable.get("name", "")] = _type(variable.get("expression", ""), environment, types)
    return with_variables(environment, types)


def _type(text: str, environment: Environment, before: Mapping[str, Type]) -> Type:
    try:
        return compile_expression(text, with_variables(environment, before)).type
    except CompileError:
        return DYN


def _problem(text: str, environment: Environment) -> str:
    try:
        compile_expression(text, environment)
    except CompileError as error:
        return str(error)
    return ""

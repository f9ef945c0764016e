"""ValidatingAdmissionPolicy and MutatingAdmissionPolicy: compiled once, evaluated on a request with each binding's params.

https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
https://kubernetes.io/docs/reference/access-authn-authz/mutating-admission-policy/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from apiserver.core.hooks.expressions import Conditioned
from apiserver.core.values import Json
from machinery.cel import (
    DYN,
    Budget,
    BudgetExceededError,
    CelError,
    CompileError,
    Environment,
    EvaluationError,
    Program,
    compile_expression,
)
from machinery.cel.admission import admission_environment, with_variables
from machinery.cel.types import Type

NO_ERROR: Final = "no_error"  # how checks are counted, by what became of an expression
COMPILE_ERROR: Final = "compile_error"
INVALID_ERROR: Final = "invalid_error"
BUDGET_ERROR: Final = "out_of_budget"
OUT_OF_BUDGET: Final = (
    "validation failed due to running out of cost budget, no further validation rules will be run"
)
_LONGEST_MESSAGE: Final = 5 * 1024  # bytes of what a messageExpression comes to
_LONGEST_ANNOTATION: Final = 10 * 1024  # characters
_AUTHORIZER: Final = ("authorizer", "authorizer.requestResource")


@dataclass(frozen=True, slots=True)
class Expression:
    """One expression of a policy, compiled; or what keeps it from that."""

    text: str
    program: Program | None
    problem: str = ""

    def value(self, variables: Mapping[str, Any], budget: Budget) -> Any:
        """Return its value.

        Raises:
            Failed: it has none.
            BudgetExceededError: the policy has cost more than it may.
            Unanswered: the authorizer has to be asked.
        """
        if self.program is None:
            raise Failed(f"compilation error: compilation failed: {self.problem}", COMPILE_ERROR)
        try:
            return self.program(variables, budget)
        except BudgetExceededError as error:
            if budget.left < 0:
                raise
            raise Failed(f"expression '{self.text}' resulted in error: {error}") from error
        except CelError as error:
            raise Failed(f"expression '{self.text}' resulted in error: {error}") from error


class Failed(Exception):  # noqa: N818 - it names an outcome
    """An expression has no value; the text is what users are told, `kind` is how it is counted."""

    def __init__(self, text: str, kind: str = INVALID_ERROR) -> None:
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Compiled:
    """The expressions of a policy, in their order."""

    spec: Json
    conditions: tuple[tuple[str, Expression], ...]
    variables: tuple[tuple[str, Expression], ...]
    expressions: tuple[Expression, ...]  # of validations, or of mutations
    messages: tuple[Expression | None, ...]  # of validations
    annotations: tuple[tuple[str, Expression], ...]  # by their keys

    @property
    def fails_closed(self) -> bool:
        """Whether what cannot be evaluated ends the request."""
        return self.spec.get("failurePolicy") != "Ignore"


def environments(
    variables: Sequence[tuple[str, str]], *, has_params: bool, mutates: bool
) -> tuple[Environment, tuple[tuple[str, Expression], ...]]:
    """Return the environment after the variables of a policy, and the variables, compiled one after the other."""
    environment = admission_environment(has_params=has_params, mutates=mutates)
    types: dict[str, Type] = {}
    made: list[tuple[str, Expression]] = []
    for name, text in variables:
        found = compiled(text, with_variables(environment, types))
        made.append((name, found))
        types[name] = DYN if found.program is None else found.program.type
    return with_variables(environment, types), tuple(made)


def without_authorizer(environment: Environment) -> Environment:
    """Return an environment in which nobody is authorized: that of messages."""
    left = {name: type_ for name, type_ in environment.variables.items() if name not in _AUTHORIZER}
    return replace(environment, variables=left)


def compiled(text: str, environment: Environment) -> Expression:
    """Compile an expression, whatever comes of it."""
    try:
        return Expression(text.strip(), compile_expression(text, environment))
    except CompileError as error:
        return Expression(text.strip(), None, str(error))


def compile_policy(spec: Json, *, mutates: bool) -> Compiled:
    """Compile a policy; what does not compile says so when it is evaluated."""
    has_params = "paramKind" in spec
    listed = [(each.get("name", ""), each.get("expression", "")) for each in spec.get("variables") or ()]
    environment, variables = environments(listed, has_params=has_params, mutates=mutates)
    plain, silent = admission_environment(has_params=has_params), without_authorizer(environment)
    rules = spec.get("validations") or ()
    mutations = [each.get(_FIELDS.get(each.get("patchType"), ""), {}) for each in spec.get("mutations") or ()]
    return Compiled(
        spec,
        tuple(
            (each.get("name", ""), compiled(each.get("expression", ""), plain))
            for each in spec.get("matchConditions") or ()
        ),
        variables,
        tuple(compiled(each.get("expression", ""), environment) for each in (*rules, *mutations)),
        tuple(
            compiled(each["messageExpression"], silent) if each.get("messageExpression") else None
            for each in rules
        ),
        tuple(
            (each.get("key", ""), compiled(each.get("valueExpression", ""), environment))
            for each in spec.get("auditAnnotations") or ()
        ),
    )


_FIELDS: Final = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}


class Variables(Mapping[str, Any]):
    """The variables of a policy, each evaluated when it is first needed."""

    def __init__(
        self, variables: Sequence[tuple[str, Expression]], others: Mapping[str, Any], budget: Budget
    ) -> None:
        self._expressions = dict(variables)
        self._others = {**others, "variables": self}
        self._budget = budget
        self._known: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            try:
                self._known[name] = self._expressions[name].value(self._others, self._budget)
            except Failed as error:
                raise EvaluationError(f'composited variable "{name}" fails to evaluate: {error}') from error
        return self._known[name]

    def __contains__(self, name: object) -> bool:
        return name in self._expressions

    def __iter__(self) -> Iterator[str]:
        return iter(self._expressions)

    def __len__(self) -> int:
        return len(self._expressions)


def bound_variables(
    policy: Compiled, variables: Mapping[str, Any], params: Json | None, budget: Budget
) -> dict[str, Any]:
    """Return what the expressions of a policy may use, with one binding's params."""
    known: dict[str, Any] = {**variables, "params": params}
    return {**known, "variables": Variables(policy.variables, known, budget)}


def matched(policy: Compiled, variables: Mapping[str, Any], budget: Budget) -> Conditioned:
    """Evaluate the match conditions: one that is false decides, whatever the others come to.

    Raises:
        BudgetExceededError: the policy has cost more than it may.
        Unanswered: the authorizer has to be asked.
    """
    errors: list[str] = []
    for _, expression in policy.conditions:
        try:
            value = expression.value(variables, budget)
        except Failed as error:
            errors.append(str(error))
            continue
        if value is False:
            return Conditioned(is_match=False)
        if value is not True:
            errors.append(f"expression '{expression.text}' resulted in error: it is no bool")
    text = errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]" if errors else ""
    return Conditioned(is_match=not errors, error=text)


# Validating


@dataclass(frozen=True, slots=True)
class Denial:
    """One validation that does not hold, or cannot be evaluated."""

    message: str
    reason: str = "Invalid"
    index: int = 0  # of the validation
    error: str = NO_ERROR  # why it could not be evaluated, as it is counted


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy says of a request with one binding and one of its params."""

    denials: tuple[Denial, ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    errors: tuple[str, ...] = ()  # of annotations, where the policy fails closed


def judge(policy: Compiled, variables: Mapping[str, Any], params: Json | None, budget: Budget) -> Verdict:
    """Evaluate a validating policy.

    Raises:
        BudgetExceededError: it cost more than it may.
        Unanswered: the authorizer has to be asked.
    """
    bound = bound_variables(policy, variables, params, budget)
    conditioned = matched(policy, bound, budget)
    if conditioned.error:
        return failed(policy, conditioned.error, INVALID_ERROR)
    if not conditioned.is_match:
        return Verdict()
    denials = [
        denial
        for index in range(len(policy.expressions))
        if (denial := _validated(policy, index, bound, budget)) is not None
    ]
    annotations, errors = _annotations(policy, bound, budget)
    return Verdict(tuple(denials), tuple(annotations), tuple(errors))


def failed(policy: Compiled, why: str, error: str) -> Verdict:
    """Return what follows where a policy cannot be evaluated at all; `error` is how that is counted."""
    return Verdict((Denial(why, error=error),)) if policy.fails_closed else Verdict()


def _validated(policy: Compiled, index: int, bound: Mapping[str, Any], budget: Budget) -> Denial | None:
    rule, expression = policy.spec["validations"][index], policy.expressions[index]
    try:
        value = expression.value(bound, budget)
    except Failed as error:
        return Denial(str(error), index=index, error=error.kind) if policy.fails_closed else None
    if value is True:
        return None
    message = _said(policy.messages[index], bound, budget) or str(rule.get("message") or "").strip()
    return Denial(message or f"failed expression: {expression.text}", rule.get("reason") or "Invalid", index)


def _said(expression: Expression | None, bound: Mapping[str, Any], budget: Budget) -> str:
    """Return what a messageExpression comes to; "" where that is no message."""
    if expression is None:
        return ""
    try:
        value = expression.value(bound, budget)
    except Failed:
        return ""
    text = value.strip() if isinstance(value, str) else ""
    return "" if "\n" in text or len(text.encode()) > _LONGEST_MESSAGE else text


def _annotations(
    policy: Compiled, bound: Mapping[str, Any], budget: Budget
) -> tuple[list[tuple[str, str]], list[str]]:
    found: list[tuple[str, str]] = []
    errors: list[str] = []
    for key, expression in policy.annotations:
        try:
            value = expression.value(bound, budget)
        except Failed as error:
            if policy.fails_closed:
                errors.append(str(error))
            continue
        if isinstance(value, str) and value.strip():
            found.append((key, value.strip()[:_LONGEST_ANNOTATION]))
    return found, errors


# Mutating

Change = Callable[[Json, str, Any], Json]
"""Makes of an object what a mutation wants: the object, the patch type, and the value of the expression."""


def mutate(
    policy: Compiled, variables: Mapping[str, Any], params: Json | None, budget: Budget, change: Change
) -> tuple[Json, str]:
    """Return the object after the mutations of a policy, and what went wrong; each begins from what the last one left.

    Raises:
        BudgetExceededError: it cost more than it may.
        Unanswered: the authorizer has to be asked.
    """
    obj: Json = variables["object"]
    conditioned = matched(policy, bound_variables(policy, variables, params, budget), budget)
    if conditioned.error or not conditioned.is_match:
        return obj, conditioned.error
    problem = ""
    for mutation, expression in zip(policy.spec.get("mutations") or (), policy.expressions, strict=True):
        bound = bound_variables(policy, {**variables, "object": obj}, params, budget)
        try:
            obj = change(obj, str(mutation.get("patchType", "")), expression.value(bound, budget))
        except (Failed, ValueError) as error:
            problem = problem or str(error)
    return obj, problem

"""Expressions of match conditions and policies: compiled once, evaluated on a request's objects.

What an expression asks the authorizer is answered beforehand, by who waits for it: an evaluation that meets a question
without an answer ends with `Unanswered`, and is begun again.
https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#matching-requests-matchconditions
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

from apiserver.core.hooks.occasion import Form, Occasion, described
from apiserver.core.values import Json, metadata, spec
from machinery.cel import Budget, BudgetExceededError, CelError, CompileError, Program, compile_expression
from machinery.cel.admission import admission_environment
from machinery.cel.library.authorizers import AuthorizerValue, Decision, PathCheck, ResourceCheck

CONDITIONS_BUDGET: Final = 2_500_000  # cost units of all match conditions of a webhook, as in Kubernetes
POLICY_BUDGET: Final = 10_000_000  # of all expressions of a policy with one binding, as in Kubernetes
CHEAP: Final = 20_000  # cost units that others can be kept waiting for: some 10 ms

Check: TypeAlias = PathCheck | ResourceCheck


class Question(NamedTuple):
    """What the authorizer is asked."""

    check: Check
    verb: str


class Unanswered(Exception):  # noqa: N818 - it names what is missing
    """An evaluation needs an answer of the authorizer that it has not."""

    def __init__(self, question: Question) -> None:
        super().__init__(question.verb)
        self.question = question


@dataclass(slots=True)
class Answers:
    """What the authorizer has answered so far, for one request."""

    known: dict[tuple[Any, ...], Decision] = field(default_factory=dict)

    def decide(self, check: Check, verb: str) -> Decision:
        """Return an answer.

        Raises:
            Unanswered: there is none yet.
        """
        found = self.known.get(_identity(check, verb))
        if found is None:
            raise Unanswered(Question(check, verb))
        return found

    def add(self, question: Question, decision: Decision) -> None:
        """Note an answer."""
        self.known[_identity(*question)] = decision


def _identity(check: Check, verb: str) -> tuple[Any, ...]:
    account = check.authorizer.service_account
    if isinstance(check, PathCheck):
        return verb, account, check.path
    return (
        verb,
        account,
        check.group,
        check.resource,
        check.subresource,
        check.namespace,
        check.name,
        check.field_selector,
        check.label_selector,
    )


@lru_cache(maxsize=2048)
def compiled(text: str, *, has_params: bool = False) -> Program | CompileError:
    """Return the program of an expression without variables of a policy, or what is wrong with it."""
    try:
        return compile_expression(text, admission_environment(has_params=has_params))
    except CompileError as error:
        return error


def request_variables(
    occasion: Occasion, form: Form, obj: Json | None, old: Json | None, answers: Answers
) -> dict[str, Any]:
    """Return what every expression may use; the objects are in the version of `form`."""
    authorizer = AuthorizerValue(answers.decide)
    attributes = occasion.attributes
    request = {**described(occasion, form), "options": occasion.options}
    return {
        "object": obj,
        "oldObject": old,
        "request": request,
        "namespaceObject": _namespace(occasion.namespace_object) if occasion.namespace else None,
        "authorizer": authorizer,
        "authorizer.requestResource": ResourceCheck(
            authorizer,
            form.group,
            form.resource,
            occasion.subresource,
            occasion.namespace,
            attributes.name,
        ),
    }


def _namespace(namespace: Json | None) -> Json:
    """Return of a namespace what expressions may see."""
    found = namespace or {}
    meta = {name: value for name, value in metadata(found).items() if name in _SEEN_OF_METADATA}
    if "uid" in metadata(found):
        meta["UID"] = metadata(found)["uid"]
    phase = (found.get("status") or {}).get("phase")
    return {
        "metadata": meta,
        "spec": {"finalizers": spec(found).get("finalizers") or []},
        "status": {"phase": phase} if phase else {},
    }


_SEEN_OF_METADATA: Final = frozenset(
    {
        "annotations",
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "labels",
        "name",
        "namespace",
        "resourceVersion",
    }
)


# Match conditions


@dataclass(frozen=True, slots=True)
class Conditioned:
    """What match conditions come to: whether all hold; `error` says why that cannot be told."""

    is_match: bool
    error: str = ""


def match(
    conditions: Sequence[Json], variables: Mapping[str, Any], budget: Budget, *, has_params: bool = False
) -> Conditioned:
    """Evaluate conditions: one that is false decides, whatever the others come to.

    Raises:
        BudgetExceededError: they cost more than they may.
        Unanswered: the authorizer has to be asked.
    """
    errors: list[str] = []
    for condition in conditions:
        text = condition.get("expression") or ""
        try:
            value = _value(compiled(text, has_params=has_params), variables, budget)
        except BudgetExceededError:
            if budget.left < 0:
                raise
            errors.append("operation cancelled: actual cost limit exceeded")
            continue
        except CelError as error:
            errors.append(f"match condition '{condition.get('name', '')}' evaluation failed: {error}")
            continue
        if value is False:
            return Conditioned(is_match=False)
        if value is not True:
            errors.append(f"match condition '{condition.get('name', '')}' must evaluate to bool")
    return Conditioned(is_match=not errors, error=errors[0] if len(errors) == 1 else _all(errors))


def _value(program: Program | CompileError, variables: Mapping[str, Any], budget: Budget) -> Any:
    if isinstance(program, CompileError):
        raise program
    return program(variables, budget)


def _all(errors: Sequence[str]) -> str:
    return f"[{', '.join(errors)}]" if errors else ""

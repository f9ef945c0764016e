"""What a webhook authorizer is asked, what its answer means, and about what it is asked at all.

https://kubernetes.io/docs/reference/access-authn-authz/webhook/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

import msgspec

from apiserver.core.authz.attributes import Attributes, Decision, User
from apiserver.core.configured.authorization import Condition
from machinery.cel import CompileError, Environment, EvaluationError, compile_expression, type_from_schema
from machinery.cel.types import Kind
from machinery.model import selectors
from machinery.model.selector_text import parse_fields, parse_labels

_MOST_REMEMBERED: Final = 10_000  # characters of what a caller decides; a longer question is not remembered
_TEXT: Final = {"type": "string"}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_OPERATORS: Final = {
    selectors.IN: "In",
    selectors.NOT_IN: "NotIn",
    selectors.EXISTS: "Exists",
    selectors.NOT_EXISTS: "DoesNotExist",
}


class _Status(msgspec.Struct):
    allowed: bool = False
    denied: bool = False
    reason: str = ""


class Caller(User, Protocol):
    """Who asks, as a review says it (apiserver.request.UserInfo fits)."""

    @property
    def uid(self) -> str:
        """The user's uid."""
        ...

    @property
    def extra(self) -> Mapping[str, tuple[str, ...]]:
        """What is known of them beside."""
        ...


def _object(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


_REQUIREMENT: Final = _object(key=_TEXT, operator=_TEXT, values=_TEXTS)
_SELECTOR: Final = _object(rawSelector=_TEXT, requirements={"type": "array", "items": _REQUIREMENT})
_REVIEW_SPEC: Final = _object(
    user=_TEXT,
    uid=_TEXT,
    groups=_TEXTS,
    extra={"type": "object", "additionalProperties": _TEXTS},
    nonResourceAttributes=_object(path=_TEXT, verb=_TEXT),
    resourceAttributes=_object(
        **dict.fromkeys(("group", "version", "resource", "subresource", "namespace", "name", "verb"), _TEXT),
        fieldSelector=_SELECTOR,
        labelSelector=_SELECTOR,
    ),
)


def compile_condition(expression: str) -> Condition:
    """Compile a match condition over `request`, the spec of a SubjectAccessReview.

    Raises:
        ValueError: it does not compile, or is no bool.
    """
    kind = type_from_schema(_REVIEW_SPEC, name="kubernetes.SubjectAccessReviewSpec")
    environment = Environment({"request": kind} if kind is not None else {})
    try:
        program = compile_expression(expression, environment)
    except CompileError as error:
        raise ValueError(f"compilation failed: {error}") from error
    if program.type.kind not in {Kind.BOOL, Kind.DYN}:
        raise ValueError("must evaluate to bool")

    def condition(spec: Any) -> bool:
        try:
            return program({"request": spec}) is True
        except EvaluationError as error:
            raise ValueError(
                f"cel evaluation error: expression {expression!r} resulted in error: {error}"
            ) from error

    return condition


def is_asked(conditions: Iterable[Condition], spec: Any) -> bool:
    """Whether all conditions hold. One that is false decides, also where another one has no value.

    Raises:
        ValueError: that cannot be said.
    """
    problems: list[ValueError] = []
    for condition in conditions:
        try:
            if not condition(spec):
                return False
        except ValueError as error:
            problems.append(error)
    if problems:
        raise problems[0]
    return True


def review_spec(user: Caller, attributes: Attributes) -> dict[str, Any]:
    """Write what is asked as the spec of a SubjectAccessReview; what is empty is left out."""
    spec: dict[str, Any] = {
        "user": user.name,
        "uid": user.uid,
        "groups": list(user.groups),
        "extra": {key: list(values) for key, values in user.extra.items()},
    }
    if attributes.path:
        spec["nonResourceAttributes"] = {"path": attributes.path, "verb": attributes.verb}
    else:
        spec["resourceAttributes"] = _resource(attributes)
    return {key: value for key, value in spec.items() if value}


def _resource(attributes: Attributes) -> dict[str, Any]:
    texts = ("namespace", "verb", "group", "version", "resource", "subresource", "name")
    found: dict[str, Any] = {name: getattr(attributes, name) for name in texts}
    found["fieldSelector"] = _selector(_field_terms, attributes.field_selector)
    found["labelSelector"] = _selector(_label_terms, attributes.label_selector)
    return {key: value for key, value in found.items() if value}


def _selector(terms: Callable[[str], list[dict[str, Any]]], text: str) -> dict[str, Any] | None:
    """Write a selector; one that makes no sense is left out: it will be refused anyway."""
    try:
        return {"requirements": terms(text)} if text else None
    except ValueError:
        return None


def _field_terms(text: str) -> list[dict[str, Any]]:
    return [
        {"key": key, "operator": "In" if equal else "NotIn", "values": [value]}
        for key, equal, value in parse_fields(text).requirements
    ]


def _label_terms(text: str) -> list[dict[str, Any]]:
    return [_label_term(each) for each in parse_labels(text).requirements]


def _label_term(requirement: selectors.Requirement) -> dict[str, Any]:
    term = {"key": requirement.key, "operator": _OPERATORS.get(requirement.operator, requirement.operator)}
    return {**term, "values": sorted(requirement.values)} if requirement.values else term


def review(version: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Write the review in a version of its group; v1beta1 says `group` for groups."""
    if version == "v1beta1":
        spec = {("group" if key == "groups" else key): value for key, value in spec.items()}
    return {"apiVersion": f"authorization.k8s.io/{version}", "kind": "SubjectAccessReview", "spec": spec}


def decided(status: Any) -> Decision:
    """Read the status of a review that was answered.

    Raises:
        ValueError: it is none.
    """
    try:
        read = msgspec.convert(status, _Status)
    except msgspec.ValidationError as error:
        raise ValueError(f"the answer is no SubjectAccessReview with a status: {error}") from error
    return Decision(allowed=read.allowed and not read.denied, reason=read.reason, denied=read.denied)


def is_remembered(attributes: Attributes) -> bool:
    """Whether an answer may be remembered: a caller who asks about very long names shall not fill the memory."""
    texts = (
        attributes.namespace,
        attributes.verb,
        attributes.group,
        attributes.version,
        attributes.combined,
        attributes.name,
        attributes.path,
        attributes.field_selector,
        attributes.label_selector,
    )
    return sum(map(len, texts)) < _MOST_REMEMBERED

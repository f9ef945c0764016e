"""Authorization checks: `authorizer.group("apps").resource("deployments").check("create").allowed()`.

The variable's value is an AuthorizerValue: who asks, and the function that decides. The function is the caller's; it must
not wait, since an evaluation does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from machinery.cel.errors import EvaluationError
from machinery.cel.overloads import fixed, method
from machinery.cel.types import BOOL, STRING, abstract
from machinery.model import names

AUTHORIZER: Final = abstract("kubernetes.authorization.Authorizer")
PATH_CHECK: Final = abstract("kubernetes.authorization.PathCheck")
GROUP_CHECK: Final = abstract("kubernetes.authorization.GroupCheck")
RESOURCE_CHECK: Final = abstract("kubernetes.authorization.ResourceCheck")
DECISION: Final = abstract("kubernetes.authorization.Decision")

_CHECK_COST: Final = 350_000  # so that an expression of Kubernetes' limit has two of them at most


@dataclass(frozen=True, slots=True)
class Decision:
    """What an authorizer decided; `error` is "" where there was none."""

    allowed: bool
    reason: str = ""
    error: str = ""

    type_name = "kubernetes.authorization.Decision"


@dataclass(frozen=True, slots=True)
class AuthorizerValue:
    """Who asks, and who decides. `service_account` is (namespace, name) where another than the requester is meant."""

    decide: Callable[[PathCheck | ResourceCheck, str], Decision]
    service_account: tuple[str, str] | None = None

    type_name = "kubernetes.authorization.Authorizer"


@dataclass(frozen=True, slots=True)
class PathCheck:
    """A check of a path that is no resource's."""

    authorizer: AuthorizerValue
    path: str

    type_name = "kubernetes.authorization.PathCheck"


@dataclass(frozen=True, slots=True)
class GroupCheck:
    """A check of which only the API group is known."""

    authorizer: AuthorizerValue
    group: str

    type_name = "kubernetes.authorization.GroupCheck"


@dataclass(frozen=True, slots=True)
class ResourceCheck:
    """A check of a resource; what is "" is not set."""

    authorizer: AuthorizerValue
    group: str
    resource: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    field_selector: str = ""
    label_selector: str = ""

    type_name = "kubernetes.authorization.ResourceCheck"


def _service_account(one: AuthorizerValue, namespace: str, name: str) -> AuthorizerValue:
    if names.dns_subdomain_errors(name):
        raise EvaluationError("Invalid service account name")
    if names.dns_label_errors(namespace):
        raise EvaluationError("Invalid service account namespace")
    return replace(one, service_account=(namespace, name))


def _path(one: AuthorizerValue, path: str) -> PathCheck:
    if not path.strip():
        raise EvaluationError("path must not be empty")
    return PathCheck(one, path)


def _resource(one: GroupCheck, resource: str) -> ResourceCheck:
    if not resource.strip():
        raise EvaluationError("resource must not be empty")
    return ResourceCheck(one.authorizer, one.group, resource)


def _check(one: PathCheck | ResourceCheck, verb: str) -> Decision:
    return one.authorizer.decide(one, verb)


_EXPENSIVE: Final[dict[str, Any]] = {"cost": lambda *_: _CHECK_COST, "estimate": fixed(_CHECK_COST)}

FUNCTIONS: Final = (
    method("path", (AUTHORIZER, STRING), PATH_CHECK, _path),
    method("group", (AUTHORIZER, STRING), GROUP_CHECK, GroupCheck),
    method("serviceAccount", (AUTHORIZER, STRING, STRING), AUTHORIZER, _service_account),
    method("resource", (GROUP_CHECK, STRING), RESOURCE_CHECK, _resource),
    method(
        "subresource", (RESOURCE_CHECK, STRING), RESOURCE_CHECK, lambda one, to: replace(one, subresource=to)
    ),
    method("namespace", (RESOURCE_CHECK, STRING), RESOURCE_CHECK, lambda one, to: replace(one, namespace=to)),
    method("name", (RESOURCE_CHECK, STRING), RESOURCE_CHECK, lambda one, to: replace(one, name=to)),
    method("check", (PATH_CHECK, STRING), DECISION, _check, **_EXPENSIVE),
    method("check", (RESOURCE_CHECK, STRING), DECISION, _check, **_EXPENSIVE),
    method("allowed", (DECISION,), BOOL, lambda one: one.allowed),
    method("reason", (DECISION,), STRING, lambda one: one.reason),
    method("errored", (DECISION,), BOOL, lambda one: bool(one.error)),
    method("error", (DECISION,), STRING, lambda one: one.error),
)

SELECTORS: Final = (
    method(
        "fieldSelector",
        (RESOURCE_CHECK, STRING),
        RESOURCE_CHECK,
        lambda one, to: replace(one, field_selector=to),
    ),
    method(
        "labelSelector",
        (RESOURCE_CHECK, STRING),
        RESOURCE_CHECK,
        lambda one, to: replace(one, label_selector=to),
    ),
)

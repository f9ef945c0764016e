"""AuthorizationConfiguration: the authorizers of an apiserver, in the order in which they are asked.

https://kubernetes.io/docs/reference/access-authn-authz/authorization/#using-configuration-file-for-authorization
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import msgspec

from apiserver.core.configured.documents import BadDocument, Configured, duration_s, read
from machinery.model import names

_VERSIONS: Final = tuple(f"apiserver.config.k8s.io/{version}" for version in ("v1", "v1beta1", "v1alpha1"))
_LONGEST_S: Final = 30.0  # that a webhook may be waited for
_MOST_CONDITIONS: Final = 64

Condition: TypeAlias = Callable[[Any], bool]
"""Whether a webhook is asked about the spec of a SubjectAccessReview; raises ValueError where that cannot be said."""
Compile: TypeAlias = Callable[[str], Condition]
"""Compiles an expression; raises ValueError with what is wrong with it."""


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """An authorizer that is a part of the apiserver."""

    type: Literal["Node", "RBAC"]
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An authorizer that is asked over HTTPS. Times are wall seconds."""

    name: str
    kubeconfig_file: str
    authorized_ttl_s: float  # 0: not remembered
    unauthorized_ttl_s: float
    timeout_s: float
    review_version: Literal["v1", "v1beta1"]
    denies_on_error: bool  # else it has no opinion then
    conditions: tuple[Condition, ...] = ()


Authorizer: TypeAlias = BuiltIn | Webhook


class _Connection(Configured, frozen=True, kw_only=True):
    type: Literal["KubeConfigFile", "InClusterConfig"]
    kube_config_file: str = ""


class _Condition(Configured, frozen=True, kw_only=True):
    expression: str


class _Webhook(Configured, frozen=True, kw_only=True):
    authorized_ttl: str = msgspec.field(name="authorizedTTL", default="5m")
    unauthorized_ttl: str = msgspec.field(name="unauthorizedTTL", default="30s")
    cache_authorized_requests: bool = True
    cache_unauthorized_requests: bool = True
    timeout: str
    subject_access_review_version: Literal["v1", "v1beta1"]
    match_condition_subject_access_review_version: Literal["", "v1"] = ""
    failure_policy: Literal["NoOpinion", "Deny"]
    connection_info: _Connection
    match_conditions: tuple[_Condition, ...] = ()


class _Authorizer(Configured, frozen=True, kw_only=True):
    type: Literal["Node", "RBAC", "Webhook"]
    name: str
    webhook: _Webhook | None = None


class _Document(Configured, frozen=True, kw_only=True):
    authorizers: list[_Authorizer]


def read_authorization(document: Any, compile_condition: Compile) -> tuple[Authorizer, ...]:
    """Read the authorizers.

    Raises:
        BadDocument: a field is wrong, or there is no authorizer, or one twice.
    """
    written = read(document, _Document, "AuthorizationConfiguration", _VERSIONS).authorizers
    if not written:
        raise BadDocument("authorizers: at least one authorization mode must be defined")
    found = tuple(
        _authorizer(each, f"authorizers[{index}]", compile_condition) for index, each in enumerate(written)
    )
    for what in ("name", "type"):
        _check_each_once(written, what)
    return found


def _check_each_once(written: list[_Authorizer], what: str) -> None:
    seen: set[str] = set()
    for index, each in enumerate(written):
        value = getattr(each, what)
        if value in seen:
            raise BadDocument(f"authorizers[{index}].{what}: Duplicate value: {value!r}")
        if what == "name" or value != "Webhook":
            seen.add(value)


def _authorizer(written: _Authorizer, path: str, compile_condition: Compile) -> Authorizer:
    if problems := names.dns_subdomain_errors(written.name):
        raise BadDocument(f"{path}.name: {written.name!r}: {problems[0]}")
    if written.type != "Webhook":
        if written.webhook is not None:
            raise BadDocument(f"{path}.webhook: may only be specified when type=Webhook")
        return BuiltIn(written.type, written.name)
    if written.webhook is None:
        raise BadDocument(f"{path}.webhook: required when type=Webhook")
    return _webhook(written.name, written.webhook, f"{path}.webhook", compile_condition)


def _webhook(name: str, written: _Webhook, path: str, compile_condition: Compile) -> Webhook:
    timeout_s = duration_s(written.timeout, f"{path}.timeout")
    if not 0 < timeout_s <= _LONGEST_S:
        raise BadDocument(
            f"{path}.timeout: has to be above 0s and {_LONGEST_S:g}s at most, not {written.timeout}"
        )
    return Webhook(
        name=name,
        kubeconfig_file=_kubeconfig(written.connection_info, f"{path}.connectionInfo"),
        authorized_ttl_s=_ttl_s(
            written.authorized_ttl, f"{path}.authorizedTTL", is_remembered=written.cache_authorized_requests
        ),
        unauthorized_ttl_s=_ttl_s(
            written.unauthorized_ttl,
            f"{path}.unauthorizedTTL",
            is_remembered=written.cache_unauthorized_requests,
        ),
        timeout_s=timeout_s,
        review_version=written.subject_access_review_version,
        denies_on_error=written.failure_policy == "Deny",
        conditions=_conditions(written, path, compile_condition),
    )


def _ttl_s(text: str, path: str, *, is_remembered: bool) -> float:
    found = duration_s(text, path)
    if found <= 0:
        raise BadDocument(f"{path}: must be greater than zero")
    return found if is_remembered else 0.0


def _kubeconfig(connection: _Connection, path: str) -> str:
    if connection.type == "InClusterConfig":
        raise BadDocument(
            f"{path}.type: InClusterConfig is for other servers than kube-apiserver: use KubeConfigFile"
        )
    if not connection.kube_config_file.startswith("/"):
        raise BadDocument(f"{path}.kubeConfigFile: must be an absolute path")
    return connection.kube_config_file


def _conditions(written: _Webhook, path: str, compile_condition: Compile) -> tuple[Condition, ...]:
    expressions = [each.expression for each in written.match_conditions]
    if len(expressions) > _MOST_CONDITIONS:
        raise BadDocument(f"{path}.matchConditions: must have at most {_MOST_CONDITIONS} items")
    if expressions and not written.match_condition_subject_access_review_version:
        raise BadDocument(
            f"{path}.matchConditionSubjectAccessReviewVersion: required if match conditions are specified"
        )
    compiled = []
    for index, expression in enumerate(expressions):
        where = f"{path}.matchConditions[{index}].expression"
        if expression in expressions[:index]:
            raise BadDocument(f"{where}: Duplicate value: {expression!r}")
        try:
            compiled.append(compile_condition(expression))
        except ValueError as error:
            raise BadDocument(f"{where}: {error}") from error
    return tuple(compiled)

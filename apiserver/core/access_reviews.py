"""What reviews of permissions ask, and how their answers are written.

https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from apiserver.core import field_errors
from apiserver.core.authz.attributes import Attributes, Decision
from apiserver.core.authz.rules import Rule
from apiserver.core.values import Json, metadata, spec
from machinery.model.errors import Cause

_MOST_GROUPS: Final = 10_000  # of somebody; each is looked for among the bindings


@dataclass(frozen=True, slots=True)
class Asked:
    """For whom a review asks."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = field(default_factory=dict)


def access_causes(review: Json, *, of_subject: bool, namespace: str | None = None) -> list[Cause]:
    """Find what is wrong with a review; `namespace` is that of a LocalSubjectAccessReview."""
    asked = spec(review)
    found = [*_attribute_causes(asked)]
    if of_subject and not asked.get("user") and not asked.get("groups"):
        text = "at least one of user or group must be specified"
        found.append(field_errors.invalid("spec.user", asked.get("user", ""), text))
    if of_subject and len(asked.get("groups") or ()) > _MOST_GROUPS:
        found.append(field_errors.too_many("spec.groups", len(asked["groups"]), _MOST_GROUPS))
    if namespace is not None:
        found += _local_causes(asked, namespace)
    return found


def attributes_of(review: Json) -> Attributes:
    """Read what a valid review asks about."""
    asked = spec(review)
    if (url := asked.get("nonResourceAttributes")) is not None:
        return Attributes(verb=url.get("verb", ""), path=url.get("path", "") or "/")
    resource = asked.get("resourceAttributes") or {}
    names = ("verb", "group", "resource", "subresource", "namespace", "name")
    return Attributes(**{name: resource.get(name, "") for name in names}, fields=_fields(resource))


def asked_user(review: Json) -> Asked:
    """Read for whom a review asks."""
    asked = spec(review)
    extra = {key: tuple(values) for key, values in (asked.get("extra") or {}).items()}
    return Asked(asked.get("user", ""), asked.get("uid", ""), tuple(asked.get("groups") or ()), extra)


def answered(review: Json, decision: Decision) -> Json:
    """Write the answer into a review."""
    status: Json = {"allowed": decision.allowed}
    if decision.denied:
        status["denied"] = True
    if decision.reason:
        status["reason"] = decision.reason
    return {**_head(review), "spec": spec(review), "status": status}


def rules_answered(review: Json, rules: Iterable[Rule], problem: str = "") -> Json:
    """Write a user's rules into a SelfSubjectRulesReview; `problem` says which rules may be missing."""
    written = [rule.to_dict() for rule in dict.fromkeys(rules)]
    status: Json = {
        "resourceRules": [rule for rule in written if "resources" in rule],
        "nonResourceRules": [rule for rule in written if "nonResourceURLs" in rule],
        "incomplete": bool(problem),
    }
    if problem:
        status["evaluationError"] = problem
    return {**_head(review), "spec": spec(review), "status": status}


def _head(review: Json) -> Json:
    return {"kind": review["kind"], "apiVersion": review["apiVersion"], "metadata": metadata(review)}


def _attribute_causes(asked: Json) -> list[Cause]:
    resource, url = asked.get("resourceAttributes"), asked.get("nonResourceAttributes")
    if (resource is None) == (url is None):
        text = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        return [field_errors.invalid("spec.resourceAttributes", resource, text)]
    return []


def _local_causes(asked: Json, namespace: str) -> list[Cause]:
    resource = asked.get("resourceAttributes")
    if resource is None:
        text = "disallowed on this kind of request"
        return [field_errors.invalid("spec.nonResourceAttributes", asked.get("nonResourceAttributes"), text)]
    if resource.get("namespace", "") != namespace:
        text = f"must match metadata.namespace: {namespace}"
        return [
            field_errors.invalid("spec.resourceAttributes.namespace", resource.get("namespace", ""), text)
        ]
    return []


def _fields(resource: Json) -> dict[str, str]:
    requirements = (resource.get("fieldSelector") or {}).get("requirements") or ()
    return {
        each["key"]: each["values"][0]
        for each in requirements
        if each.get("operator") == "In" and each.get("key") and len(each.get("values") or ()) == 1
    }

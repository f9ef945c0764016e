"""Roles and bindings.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from apiserver.core import field_errors
from apiserver.core.kinds.kind import Kind
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause

GROUP: Final = "rbac.authorization.k8s.io"
_SUBJECT_GROUPS: Final = {"ServiceAccount": "", "User": GROUP, "Group": GROUP}


def _default_role(obj: Json) -> Json:
    obj.setdefault("rules", [])
    return obj


def _default_binding(obj: Json) -> Json:
    obj.setdefault("roleRef", {})
    if not obj["roleRef"].get("apiGroup"):
        obj["roleRef"]["apiGroup"] = GROUP
    for subject in obj.get("subjects") or []:
        if not subject.get("apiGroup") and _SUBJECT_GROUPS.get(subject.get("kind", "")):
            subject["apiGroup"] = GROUP
    return obj


def _rule_causes(rule: Json, path: str, *, namespaced: bool) -> list[Cause]:
    found: list[Cause] = []
    if not rule.get("verbs"):
        found.append(field_errors.required(f"{path}.verbs", "verbs must contain at least one value"))
    if urls := rule.get("nonResourceURLs"):
        if namespaced:
            text = "namespaced rules cannot apply to non-resource URLs"
            return [*found, field_errors.invalid(f"{path}.nonResourceURLs", urls, text)]
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            text = "rules cannot apply to both regular resources and non-resource URLs"
            found.append(field_errors.invalid(f"{path}.nonResourceURLs", urls, text))
        return found
    if not rule.get("apiGroups"):
        found.append(
            field_errors.required(f"{path}.apiGroups", "resource rules must supply at least one api group")
        )
    if not rule.get("resources"):
        found.append(
            field_errors.required(f"{path}.resources", "resource rules must supply at least one resource")
        )
    return found


def _role_validator(*, namespaced: bool) -> Callable[[Json], list[Cause]]:
    def validate(obj: Json) -> list[Cause]:
        return [
            cause
            for index, rule in enumerate(obj.get("rules") or [])
            for cause in _rule_causes(rule, f"rules[{index}]", namespaced=namespaced)
        ]

    return validate


def _subject_causes(subject: Json, path: str) -> list[Cause]:
    kind, name = subject.get("kind", ""), subject.get("name", "")
    found = [] if name else [field_errors.required(f"{path}.name")]
    if kind not in _SUBJECT_GROUPS:
        return [*found, field_errors.not_supported(f"{path}.kind", kind, _SUBJECT_GROUPS)]
    found += field_errors.one_of(f"{path}.apiGroup", subject.get("apiGroup", ""), {_SUBJECT_GROUPS[kind]})
    if kind == "ServiceAccount":
        if name:
            found += field_errors.each_invalid(f"{path}.name", name, names.dns_subdomain_errors(name))
        if not subject.get("namespace"):
            found.append(field_errors.required(f"{path}.namespace"))
    return found


def _binding_validator(*roles: str) -> Callable[[Json], list[Cause]]:
    def validate(obj: Json) -> list[Cause]:
        role = obj["roleRef"]
        found = field_errors.one_of("roleRef.apiGroup", role.get("apiGroup", ""), {GROUP})
        found += field_errors.one_of("roleRef.kind", role.get("kind", ""), roles)
        if name := role.get("name"):
            found += field_errors.each_invalid("roleRef.name", name, names.path_segment_errors(name))
        else:
            found.append(field_errors.required("roleRef.name"))
        for index, subject in enumerate(obj.get("subjects") or []):
            found += _subject_causes(subject, f"subjects[{index}]")
        return found

    return validate


def _same_role(new: Json, old: Json) -> list[Cause]:
    if new["roleRef"] == old.get("roleRef"):
        return []
    return [field_errors.invalid("roleRef", new["roleRef"], "cannot change roleRef")]


def _unbuilt(obj: Json) -> str:
    if "aggregationRule" in obj:
        return "aggregationRule needs the ClusterRole aggregation controller, which Kubarium has not built"
    return ""


def _kind(kind: str, *, namespaced: bool, validate: Callable[[Json], list[Cause]], **rules: Any) -> Kind:
    return Kind(
        group=GROUP,
        version="v1",
        plural=f"{kind.lower()}s",
        singular=kind.lower(),
        kind=kind,
        definition=f"io.k8s.api.rbac.v1.{kind}",
        namespaced=namespaced,
        storage_prefix=f"/registry/{kind.lower()}s",
        name_errors=names.path_segment_errors,
        validate_create=validate,
        create_on_update=True,
        **rules,
    )


def _role(kind: str, *, namespaced: bool) -> Kind:
    validate = _role_validator(namespaced=namespaced)
    return _kind(
        kind,
        namespaced=namespaced,
        validate=validate,
        default=_default_role,
        unbuilt=_unbuilt,
        validate_update=lambda new, _old: validate(new),
    )


def _binding(kind: str, *roles: str, namespaced: bool) -> Kind:
    validate = _binding_validator(*roles)
    return _kind(
        kind,
        namespaced=namespaced,
        validate=validate,
        default=_default_binding,
        validate_update=lambda new, old: [*_same_role(new, old), *validate(new)],
    )


ROLES = _role("Role", namespaced=True)
CLUSTER_ROLES = _role("ClusterRole", namespaced=False)
ROLE_BINDINGS = _binding("RoleBinding", "ClusterRole", "Role", namespaced=True)
CLUSTER_ROLE_BINDINGS = _binding("ClusterRoleBinding", "ClusterRole", namespaced=False)

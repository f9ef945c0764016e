"""Roles and bindings.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from apiserver.core import field_errors, labelselector
from apiserver.core.authz.escalation import Grant, RoleGranted, RulesGranted, changes_meaning
from apiserver.core.authz.rbac import RBAC_GROUP
from apiserver.core.authz.rules import rules_of
from apiserver.core.rules import Rules, Validate
from apiserver.core.table import rbac as table
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause

_SUBJECT_GROUPS: Final = {"ServiceAccount": "", "User": RBAC_GROUP, "Group": RBAC_GROUP}


def _default_role(obj: Json) -> Json:
    obj.setdefault("rules", [])
    return obj


def _default_binding(obj: Json) -> Json:
    obj.setdefault("roleRef", {})
    if not obj["roleRef"].get("apiGroup"):
        obj["roleRef"]["apiGroup"] = RBAC_GROUP
    for subject in obj.get("subjects") or []:
        if not subject.get("apiGroup") and _SUBJECT_GROUPS.get(subject.get("kind", "")):
            subject["apiGroup"] = RBAC_GROUP
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
        found = [
            cause
            for index, rule in enumerate(obj.get("rules") or [])
            for cause in _rule_causes(rule, f"rules[{index}]", namespaced=namespaced)
        ]
        return found if namespaced else [*found, *_aggregation_causes(obj)]

    return validate


def _subject_causes(subject: Json, path: str, *, namespaced: bool) -> list[Cause]:
    """Find what is wrong with a subject; in a namespace, its ServiceAccounts are those of the namespace where it says none."""
    kind, name = subject.get("kind", ""), subject.get("name", "")
    found = [] if name else [field_errors.required(f"{path}.name")]
    if kind not in _SUBJECT_GROUPS:
        return [*found, field_errors.not_supported(f"{path}.kind", kind, _SUBJECT_GROUPS)]
    found += field_errors.one_of(f"{path}.apiGroup", subject.get("apiGroup", ""), {_SUBJECT_GROUPS[kind]})
    if kind == "ServiceAccount":
        if name:
            found += field_errors.each_invalid(f"{path}.name", name, names.dns_subdomain_errors(name))
        if not namespaced and not subject.get("namespace"):
            found.append(field_errors.required(f"{path}.namespace"))
    return found


def _binding_validator(*roles: str) -> Callable[[Json], list[Cause]]:
    def validate(obj: Json) -> list[Cause]:
        role = obj["roleRef"]
        found = field_errors.one_of("roleRef.apiGroup", role.get("apiGroup", ""), {RBAC_GROUP})
        found += field_errors.one_of("roleRef.kind", role.get("kind", ""), roles)
        if name := role.get("name"):
            found += field_errors.each_invalid("roleRef.name", name, names.path_segment_errors(name))
        else:
            found.append(field_errors.required("roleRef.name"))
        for index, subject in enumerate(obj.get("subjects") or []):
            found += _subject_causes(subject, f"subjects[{index}]", namespaced="Role" in roles)
        return found

    return validate


def _same_role(new: Json, old: Json) -> list[Cause]:
    if new["roleRef"] == old.get("roleRef"):
        return []
    return [field_errors.invalid("roleRef", new["roleRef"], "cannot change roleRef")]


def _aggregation_causes(obj: Json) -> list[Cause]:
    rule, path = obj.get("aggregationRule"), "aggregationRule.clusterRoleSelectors"
    if rule is None:
        return []
    selectors = rule.get("clusterRoleSelectors") or []
    if not selectors:
        text = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        return [field_errors.required(path, text)]
    return [
        cause
        for index, selector in enumerate(selectors)
        for cause in labelselector.validate(selector, f"{path}[{index}]")
    ]


def _aggregates(obj: Json | None) -> bool:
    return bool(((obj or {}).get("aggregationRule") or {}).get("clusterRoleSelectors"))


def _role_grant(new: Json, old: Json | None) -> Grant | None:
    if not changes_meaning(new, old):
        return None
    return RulesGranted(rules_of(new), aggregates=_aggregates(new) or _aggregates(old))


def _binding_grant(new: Json, old: Json | None) -> Grant | None:
    return RoleGranted(new["roleRef"]) if changes_meaning(new, old) else None


def _role(*, namespaced: bool) -> Rules:
    validate = _role_validator(namespaced=namespaced)
    return Rules(
        name_errors=names.path_segment_errors,
        default=_default_role,
        validate=Validate(create=validate, update=lambda new, _old: validate(new)),
        grants=_role_grant,
        create_on_update=True,
        table=table.ROLES,
    )


def _binding(*roles: str) -> Rules:
    validate = _binding_validator(*roles)
    return Rules(
        name_errors=names.path_segment_errors,
        default=_default_binding,
        validate=Validate(create=validate, update=lambda new, old: [*_same_role(new, old), *validate(new)]),
        grants=_binding_grant,
        create_on_update=True,
        table=table.BINDINGS,
    )


ROLES: Final = _role(namespaced=True)
CLUSTER_ROLES: Final = _role(namespaced=False)
ROLE_BINDINGS: Final = _binding("ClusterRole", "Role")
CLUSTER_ROLE_BINDINGS: Final = _binding("ClusterRole")

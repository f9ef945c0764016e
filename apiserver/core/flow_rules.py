"""What FlowSchemas and PriorityLevelConfigurations may say of requests.

https://kubernetes.io/docs/concepts/cluster-administration/flow-control/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause

EXEMPT: Final = "exempt"
CATCH_ALL: Final = "catch-all"
LARGEST_PRECEDENCE: Final = 10_000
_VERBS: Final = frozenset(
    {"create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"}
)
_SUBJECTS: Final = {"ServiceAccount": "serviceAccount", "User": "user", "Group": "group"}


def _everybody(groups: tuple[str, ...]) -> list[Json]:
    subjects = [{"kind": "Group", "group": {"name": group}} for group in groups]
    return [
        {
            "subjects": subjects,
            "resourceRules": [
                {
                    "verbs": ["*"],
                    "apiGroups": ["*"],
                    "resources": ["*"],
                    "clusterScope": True,
                    "namespaces": ["*"],
                }
            ],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        }
    ]


MANDATORY_SCHEMAS: Final[dict[str, Json]] = {
    EXEMPT: {
        "priorityLevelConfiguration": {"name": EXEMPT},
        "matchingPrecedence": 1,
        "rules": _everybody(("system:masters",)),
    },
    CATCH_ALL: {
        "priorityLevelConfiguration": {"name": CATCH_ALL},
        "matchingPrecedence": LARGEST_PRECEDENCE,
        "distinguisherMethod": {"type": "ByUser"},
        "rules": _everybody(("system:unauthenticated", "system:authenticated")),
    },
}
"""The specs of those that every cluster has, and that cannot be changed."""
MANDATORY_LEVELS: Final[dict[str, Json]] = {
    EXEMPT: {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}},
    CATCH_ALL: {
        "type": "Limited",
        "limited": {
            "nominalConcurrencyShares": 5,
            "lendablePercent": 0,
            "limitResponse": {"type": "Reject"},
        },
    },
}
"""The specs of the levels that every cluster has; of the first only the shares may be changed."""


def rule_causes(rule: Json, path: str) -> list[Cause]:
    """Check which requests of whom a rule is about."""
    subjects = rule.get("subjects") or []
    found: list[Cause] = []
    for index, subject in enumerate(subjects):
        found += _subject_causes(subject, f"{path}.subjects[{index}]")
    if not subjects:
        text = "subjects must contain at least one value"
        found.append(field_errors.required(f"{path}.subjects", text))
    resources, others = rule.get("resourceRules") or [], rule.get("nonResourceRules") or []
    if not resources and not others:
        text = "at least one of resourceRules and nonResourceRules has to be non-empty"
        found.append(field_errors.required(path, text))
    for index, each in enumerate(resources):
        found += _resource_causes(each, f"{path}.resourceRules[{index}]")
    for index, each in enumerate(others):
        found += _other_causes(each, f"{path}.nonResourceRules[{index}]")
    return found


def status_causes(new: Json, _old: Json) -> list[Cause]:
    """Check the conditions of either kind."""
    conditions = (new.get("status") or {}).get("conditions") or []
    again = set(field_errors.repeated(each.get("type", "") for each in conditions))
    found: list[Cause] = []
    for index, condition in enumerate(conditions):
        where, type_ = f"status.conditions[{index}].type", condition.get("type", "")
        if index in again:
            found.append(field_errors.duplicate(where, type_))
        if not type_:
            found.append(field_errors.required(where, "must not be empty"))
    return found


def _subject_causes(subject: Json, path: str) -> list[Cause]:
    kind = subject.get("kind", "")
    if kind not in _SUBJECTS:
        return [field_errors.not_supported(f"{path}.kind", kind, frozenset(_SUBJECTS))]
    own = _SUBJECTS[kind]
    found: list[Cause] = []
    if own not in subject:
        text = f"{own} is required when subject kind is '{kind}'"
        found.append(field_errors.required(f"{path}.{own}", text))
    elif kind == "ServiceAccount":
        found += _account_causes(subject[own], f"{path}.{own}")
    elif not subject[own].get("name"):
        found.append(field_errors.required(f"{path}.{own}.name"))
    for other, field in _SUBJECTS.items():
        if field != own and field in subject:
            text = f"{field} is forbidden when subject kind is not '{other}'"
            found.append(field_errors.forbidden(f"{path}.{field}", text))
    return found


def _account_causes(account: Json, path: str) -> list[Cause]:
    name, namespace = account.get("name", ""), account.get("namespace", "")
    found = [] if name else [field_errors.required(f"{path}.name")]
    if name not in {"", "*"}:
        found += field_errors.each_invalid(f"{path}.name", name, names.dns_subdomain_errors(name))
    if not namespace:
        text = "must specify namespace for service account"
        return [*found, field_errors.required(f"{path}.namespace", text)]
    errors = names.dns_label_errors(namespace)
    return found + field_errors.each_invalid(f"{path}.namespace", namespace, errors)


def _resource_causes(rule: Json, path: str) -> list[Cause]:
    found = _verb_causes(rule.get("verbs") or [], f"{path}.verbs")
    for field, one, several in (
        ("apiGroups", "api group", "api groups"),
        ("resources", "resource", "resources"),
    ):
        values = rule.get(field) or []
        if not values:
            text = f"resource rules must supply at least one {one}"
            found.append(field_errors.required(f"{path}.{field}", text))
        found += _alone_causes(values, f"{path}.{field}", several)
    namespaces, where = rule.get("namespaces") or [], f"{path}.namespaces"
    if not namespaces and not rule.get("clusterScope"):
        text = "resource rules that are not cluster scoped must supply at least one namespace"
        found.append(field_errors.required(where, text))
    if "*" in namespaces:
        return found + _alone_causes(namespaces, where, "namespaces")
    intro = "each member of this list must be '*' or a DNS-1123 label; "
    return found + [
        field_errors.invalid(f"{where}[{index}]", namespace, f"{intro}{error}")
        for index, namespace in enumerate(namespaces)
        for error in names.dns_label_errors(namespace)
    ]


def _other_causes(rule: Json, path: str) -> list[Cause]:
    found = _verb_causes(rule.get("verbs") or [], f"{path}.verbs")
    urls, where = rule.get("nonResourceURLs") or [], f"{path}.nonResourceURLs"
    if not urls:
        text = "nonResourceURLs must contain at least one value"
        return [*found, field_errors.required(where, text)]
    if "*" in urls:
        return found + _alone_causes(urls, where, "non-resource URLs")
    for index, url in enumerate(urls):
        if problem := _url_error(url):
            found.append(field_errors.invalid(f"{where}[{index}]", url, problem))
    return found


def _verb_causes(verbs: list[str], path: str) -> list[Cause]:
    if not verbs:
        return [field_errors.required(path, "verbs must contain at least one value")]
    if "*" in verbs:
        return _alone_causes(verbs, path, "verbs")
    return [] if set(verbs) <= _VERBS else [field_errors.not_supported(path, verbs, _VERBS)]


def _alone_causes(values: list[str], path: str, others: str) -> list[Cause]:
    """Check that a star, which means everything, stands alone."""
    if "*" not in values or len(values) == 1:
        return []
    return [field_errors.invalid(path, values, f"if '*' is present, must not specify other {others}")]


def _url_error(url: str) -> str:
    if url == "/":
        return ""
    checks = (
        (not url, "must not be empty"),
        (not url.startswith("/"), "must start with slash"),
        (" " in url, "must not contain white-space"),
        ("//" in url, "must not contain double slash"),
        (
            url.count("*") > 1 or ("*" in url and not url.endswith("/*")),
            "wildcard can only do suffix matching",
        ),
    )
    return next((text for is_wrong, text in checks if is_wrong), "")

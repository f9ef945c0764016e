"""Which webhooks and policies a request concerns: by their rules, by namespace, by the object's labels.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#matching-requests-rules
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, TypeAlias

from apiserver.core import labelselector
from apiserver.core.hooks.occasion import Form, Occasion, labels_of
from apiserver.core.values import Json
from machinery.model.k8s import served

GROUP: Final = "admissionregistration.k8s.io"
EXEMPT: Final = frozenset(
    {
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
        "mutatingwebhookconfigurations",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "validatingwebhookconfigurations",
    }
)
"""Resources of the group that nobody has a say on: else nobody could get rid of one that refuses everything."""

UNJUDGED: Final = frozenset((each.group, each.plural) for each in served.REVIEWS)
"""Resources that no policy is asked about: nobody could sign in, or ask what they may do, else. Webhooks are."""

_ALL: Final = "*"


def is_exempt(group: str, plural: str) -> bool:
    """Whether no webhook and no policy is asked about a resource."""
    return group == GROUP and plural in EXEMPT


def matching_form(hook: Json, occasion: Occasion) -> Form | None:
    """Return the form of a request that a webhook's rules are about; None where they are about none.

    With the match policy Exact that is the one that was asked for; else another version will do, too.
    """
    rules = hook.get("rules") or ()
    if any(_matches(rule, occasion.form, occasion) for rule in rules):
        return occasion.form
    if hook.get("matchPolicy") == "Exact":
        return None
    return next((form for rule in rules for form in occasion.others if _matches(rule, form, occasion)), None)


def policy_form(constraints: Json, occasion: Occasion) -> Form | None:
    """Return the form of a request that a policy's constraints are about; their selectors are not looked at.

    Where no rule is given, a binding's constraints are about all that its policy is about.
    """
    rules = constraints.get("resourceRules") or ()
    excluded = constraints.get("excludeResourceRules") or ()
    policy = constraints.get("matchPolicy")
    if excluded and matching_form({"rules": excluded, "matchPolicy": policy}, occasion) is not None:
        return None
    if not rules:
        return occasion.form
    return matching_form({"rules": rules, "matchPolicy": policy}, occasion)


def is_selected(selectors: Json, occasion: Occasion, obj: Json | None, old: Json | None) -> bool:
    """Whether the namespace and the object of a request have the labels that are asked for.

    Of an update, it is enough that the new object or the old one has them.
    """
    wanted = selectors.get("namespaceSelector") or {}
    if not labelselector.is_empty(wanted):
        labels = occasion.namespace_labels(obj)
        if labels is not None and not labelselector.matches(wanted, labels):
            return False
    wanted = selectors.get("objectSelector") or {}
    return labelselector.is_empty(wanted) or any(
        each is not None and labelselector.matches(wanted, labels_of(each)) for each in (obj, old)
    )


Places: TypeAlias = Callable[[str, str], Collection[tuple[str, str]]]
"""Returns the groups and plurals under which the objects of a resource are served."""


def concerns(rules: Sequence[Json], places: Collection[tuple[str, str]]) -> bool:
    """Whether rules can be about a resource at all, in whatever group and version: what an index is made by."""
    return any(
        _has(rule.get("apiGroups"), group)
        and any(name.partition("/")[0] in {_ALL, resource} for name in rule.get("resources") or ())
        for rule in rules
        for group, resource in places
    )


def _matches(rule: Json, form: Form, occasion: Occasion) -> bool:
    names = rule.get("resourceNames") or ()
    return (
        _in_scope(rule.get("scope") or _ALL, occasion)
        and _has(rule.get("operations"), occasion.operation)
        and _has(rule.get("apiGroups"), form.group)
        and _has(rule.get("apiVersions"), form.version)
        and any(
            _is_resource(each, form.resource, occasion.subresource) for each in rule.get("resources") or ()
        )
        and (not names or occasion.name in names)
    )


def _has(values: Any, value: str) -> bool:
    return value in (values or ()) or _ALL in (values or ())


def _in_scope(scope: str, occasion: Occasion) -> bool:
    if scope == _ALL:
        return True
    is_namespaced = bool(occasion.namespace) and not occasion.is_namespace
    return is_namespaced if scope == "Namespaced" else not is_namespaced


def _is_resource(rule: str, resource: str, subresource: str) -> bool:
    name, _, part = rule.partition("/")
    return name in {_ALL, resource} and part in {_ALL, subresource}

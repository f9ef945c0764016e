"""Aggregated ClusterRoles have the rules of those that their selectors match."""

from __future__ import annotations

from controllers.clusterrole_aggregation import build
from controllers.clusterrole_aggregation.plan import Seen
from controllers.core.actions import NO_FACTS, Patch
from controllers.core.caches import Caches
from controllers.core.controller import Controller, Settings, Watched
from machinery.model.k8s.meta_v1 import LabelSelector, LabelSelectorRequirement
from machinery.model.k8s.rbac_v1 import AggregationRule, ClusterRole, PolicyRule
from machinery.model.profile import intervals
from machinery.model.requests import EventType
from machinery.model.store import Change
from tests.support.builders import changed, meta
from tests.support.controllers import moment, of_type

PODS, MAPS = (PolicyRule(verbs=["get"], apiGroups=[""], resources=[name]) for name in ("pods", "configmaps"))


def role(name: str, *rules: PolicyRule, labels: dict[str, str] | None = None, **selected: str) -> ClusterRole:
    gathers = (
        AggregationRule(clusterRoleSelectors=[LabelSelector(matchLabels=selected)]) if selected else None
    )
    return ClusterRole(metadata=meta(name, labels=labels or {}), rules=list(rules), aggregationRule=gathers)


def planned(one: ClusterRole, *others: ClusterRole) -> list[Patch]:
    """Return what is planned for the first of some roles, as the controller sees them."""
    controller, _ = built(one, *others)
    seen = controller.look(("", one.metadata.name), moment())
    assert seen is not None
    return of_type(controller.plan(seen, moment(), NO_FACTS), Patch)


def built(*roles: ClusterRole) -> tuple[Controller[Seen], Watched[ClusterRole]]:
    """Build the controller over a cache with these roles."""
    controller = build(Caches(), Settings(intervals("default"), ()))
    [watched] = controller.watched
    for role_ in roles:
        watched.source.store.put(role_)
    return controller, watched


def test_rules_are_gathered_by_name_each_once() -> None:
    """From every selector in turn; roles without the label count nothing."""
    whole = role("whole", part="yes")
    parts = (
        role("b", MAPS, PODS, labels={"part": "yes"}),
        role("a", PODS, labels={"part": "yes"}),
        role("c", PolicyRule(verbs=["*"], apiGroups=["*"], resources=["*"]), labels={"part": "no"}),
    )
    [patch] = planned(whole, *parts)
    assert [rule["resources"] for rule in patch.patch["rules"]] == [["pods"], ["configmaps"]]
    assert patch.patch["metadata"]["resourceVersion"] == whole.metadata.resourceVersion


def test_a_role_that_is_as_it_should_be_is_left_alone() -> None:
    """So the loop of two that gather each other ends."""
    labels = {"part": "yes"}
    one, other = role("one", PODS, labels=labels, part="yes"), role("other", PODS, labels=labels, part="yes")
    assert planned(one, other) == planned(other, one) == []


def test_what_no_longer_matches_is_taken_away() -> None:
    """Also all of it."""
    [patch] = planned(role("whole", PODS, part="yes"), role("a", PODS, labels={"part": "no"}))
    assert patch.patch["rules"] == []


def test_several_selectors_are_an_or() -> None:
    """In their order."""
    exists = LabelSelectorRequirement(key="late", operator="Exists")
    selectors = [LabelSelector(matchExpressions=[exists]), LabelSelector(matchLabels={"part": "yes"})]
    whole = changed(role("whole"), aggregationRule=AggregationRule(clusterRoleSelectors=selectors))
    [patch] = planned(whole, role("a", PODS, labels={"part": "yes"}), role("b", MAPS, labels={"late": ""}))
    assert [rule["resources"] for rule in patch.patch["rules"]] == [["configmaps"], ["pods"]]


def test_a_change_of_a_role_concerns_those_that_may_gather_it() -> None:
    """By the labels that it has, or has had; those that select by expressions hear of every role."""
    exists = LabelSelectorRequirement(key="late", operator="Exists")
    rule = AggregationRule(clusterRoleSelectors=[LabelSelector(matchExpressions=[exists])])
    expressive = changed(role("expressive"), aggregationRule=rule)
    part, plain, whole = role("a", PODS, labels={"part": "yes"}), role("a", PODS), role("whole", part="yes")
    controller, watched = built(part, whole, role("other", part="no"), expressive)
    for change, names in (
        (Change(EventType.MODIFIED, plain, part), ["expressive", "whole"]),
        (Change(EventType.MODIFIED, part, plain), ["expressive", "whole"]),
        (Change(EventType.DELETED, part, None), ["expressive", "whole"]),
        (Change(EventType.ADDED, None, plain), ["expressive"]),
        (Change(EventType.ADDED, None, whole), ["expressive", "whole"]),
        (Change(EventType.DELETED, whole, None), ["expressive"]),
    ):
        assert list(watched.keys(change)) == [("", name) for name in names]
    assert controller.look(("", "a"), moment()) is None

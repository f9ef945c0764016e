"""Aggregated ClusterRoles have the rules of those that their selectors match."""

from __future__ import annotations

from controllers.clusterrole_aggregation import build
from controllers.clusterrole_aggregation.plan import Seen, plan
from controllers.core.actions import NOTHING_TO_DO, Patch
from controllers.core.caches import Caches
from controllers.core.controller import Settings
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
    every = sorted((one, *others), key=lambda each: each.metadata.name)
    return of_type(plan(Seen(one, tuple(every)), moment()), Patch)


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


def test_every_change_of_a_role_concerns_all_that_gather() -> None:
    """And a role that gathers nothing is not looked at."""
    caches = Caches()
    controller = build(caches, Settings(intervals("default"), ()))
    [watched] = controller.watched
    part, whole = role("a", PODS, labels={"part": "yes"}), role("whole", part="yes")
    for one in (part, whole):
        watched.source.store.put(one)
    assert list(watched.keys(Change(EventType.MODIFIED, part, part))) == [("", "whole")]
    seen = controller.look(("", "whole"), moment())
    assert seen is not None
    assert controller.plan(seen, moment(), None) != NOTHING_TO_DO  # type: ignore[arg-type]  # it asks for no facts
    assert controller.look(("", "a"), moment()) is None

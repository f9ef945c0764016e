"""Plan for one aggregated ClusterRole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from controllers.core.actions import NO_FACTS, NOTHING_TO_DO, Facts, Plan
from controllers.core.merge_patch import patch_at_revision
from controllers.core.moment import Moment
from machinery.model.k8s.meta_v1 import LabelSelector
from machinery.model.k8s.rbac_v1 import ClusterRole, PolicyRule
from machinery.model.resources import CLUSTER_ROLES
from machinery.model.selectors import from_selector


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    role: ClusterRole  # with an aggregationRule
    gathered: tuple[tuple[LabelSelector, tuple[ClusterRole, ...]], ...]
    """Its selectors, each with roles by name: all that it matches, and others."""


def plan(seen: Seen, _moment: Moment, _facts: Facts = NO_FACTS) -> Plan:
    """Plan to write the union of the rules that the selectors gather, if the role has others."""
    role = seen.role
    wanted: list[PolicyRule] = []
    for rule in _gathered(seen):
        if rule not in wanted:
            wanted.append(rule)
    if wanted == role.rules:
        return NOTHING_TO_DO
    return Plan((patch_at_revision(CLUSTER_ROLES, role, {"rules": msgspec.to_builtins(wanted)}),))


def _gathered(seen: Seen) -> Iterator[PolicyRule]:
    """Yield the rules of what each selector matches, by name; a role that matches itself adds nothing."""
    for selector, roles in seen.gathered:
        matches = from_selector(selector).matches
        for role in roles:
            if role.metadata.name != seen.role.metadata.name and matches(role.metadata.labels):
                yield from role.rules

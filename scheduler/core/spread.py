"""The constraints by which pods that belong together stay evenly spread over the values of a node label.

https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/

A *domain* is one value of the label. A hard constraint (DoNotSchedule) rejects nodes whose domain would be more than
`max_skew` ahead of the emptiest one; a soft one (ScheduleAnyway) costs points.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from machinery.model.k8s.core_v1 import TopologySpreadConstraint
from machinery.model.selectors import IN, LabelMatcher, Requirement, from_selector
from scheduler.core.domains import HOSTNAME
from scheduler.core.normalize import MAX_SCORE

ZONE: Final = "topology.kubernetes.io/zone"


@dataclass(frozen=True, slots=True)
class Constraint:
    """One constraint of one pod, with its defaults filled in."""

    topology_key: str
    max_skew: int
    matcher: LabelMatcher
    counts_itself: bool  # whether the pod is one of those that are spread
    min_domains: int = 1
    honors_affinity: bool = True  # whether nodes that nodeSelector and affinity exclude do not count
    honors_taints: bool = False  # the same for nodes with taints that are not tolerated


@dataclass(frozen=True, slots=True)
class Spread:
    """All constraints of one pod. `hard` ones filter, `soft` ones score."""

    hard: tuple[Constraint, ...] = ()
    soft: tuple[Constraint, ...] = ()
    needs_all_labels: bool = True  # whether a node without one of the soft labels gets no points at all


NOTHING: Final = Spread()


def read_spread(
    constraints: Sequence[TopologySpreadConstraint],
    labels: Mapping[str, str],
    defaults: LabelMatcher | None,
    listed: Sequence[TopologySpreadConstraint] | None = None,
) -> Spread:
    """Read a pod's constraints; one that has none gets the system's, for the selector of what it belongs to.

    `defaults` is that selector, None where the pod belongs to no Service and no ReplicaSet. Constraints that are `listed`
    stand for the system's.
    """
    if constraints:
        return _apart([(each.whenUnsatisfiable, _read(each, labels)) for each in constraints])
    if defaults is None:
        return NOTHING
    if listed is not None:
        return _apart(
            [(each.whenUnsatisfiable, _with(_read(each, labels), defaults, labels)) for each in listed]
        )
    own = defaults.matches(labels)
    soft = (Constraint(HOSTNAME, 3, defaults, own), Constraint(ZONE, 5, defaults, own))
    return Spread(soft=soft, needs_all_labels=False)


def _apart(kinds: Sequence[tuple[str, Constraint]]) -> Spread:
    return Spread(
        hard=tuple(one for kind, one in kinds if kind == "DoNotSchedule"),
        soft=tuple(one for kind, one in kinds if kind == "ScheduleAnyway"),
    )


def _with(constraint: Constraint, matcher: LabelMatcher, labels: Mapping[str, str]) -> Constraint:
    return replace(constraint, matcher=matcher, counts_itself=matcher.matches(labels))


def is_skewed(constraint: Constraint, matching: int, least: int) -> bool:
    """Whether one more pod in a domain with `matching` pods is too much; `least` is in the emptiest one."""
    return matching + constraint.counts_itself - least > constraint.max_skew


def least_matching(constraint: Constraint, least: int | None, domains: int) -> int:
    """Return the number of pods in the emptiest domain: none while there are fewer domains than asked for.

    `least` is None where no node counts: then there is nothing to be ahead of.
    """
    if domains < constraint.min_domains:
        return 0
    return _NO_BOUND if least is None else least


def topology_weight(domains: int) -> float:
    """Return the weight of a pod in a domain: more where there are more domains, as each holds fewer pods."""
    return math.log(domains + 2)


def cost(constraint: Constraint, matching: int, weight: float) -> float:
    """Return the raw score of a node in a domain with so many matching pods; less is better."""
    return matching * weight + (constraint.max_skew - 1)


def rounded(total: float) -> int:
    """Round half away from zero, as the sum of a node's costs is."""
    return math.floor(total + 0.5)


def normalize(raw: int, lowest: int, highest: int) -> int:
    """Return 0 to 100: 100 for the lowest of the candidates' costs where it is none."""
    return MAX_SCORE * (highest + lowest - raw) // highest if highest else MAX_SCORE


_NO_BOUND: Final = 2**31 - 1


def _read(constraint: TopologySpreadConstraint, labels: Mapping[str, str]) -> Constraint:
    matcher = from_selector(constraint.labelSelector)
    same = tuple(Requirement(key, IN, (labels[key],)) for key in constraint.matchLabelKeys if key in labels)
    if same and not matcher.nothing:
        matcher = LabelMatcher((*matcher.requirements, *same))
    return Constraint(
        topology_key=constraint.topologyKey,
        max_skew=constraint.maxSkew,
        matcher=matcher,
        counts_itself=matcher.matches(labels),
        min_domains=constraint.minDomains or 1,
        honors_affinity=constraint.nodeAffinityPolicy != "Ignore",
        honors_taints=constraint.nodeTaintsPolicy == "Honor",
    )

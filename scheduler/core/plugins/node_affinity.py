"""NodeAffinity: nodeSelector, required terms (one has to hold) and preferred terms (weights add up).

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from machinery.model.k8s.core_v1 import NodeAffinity, NodeSelectorRequirement, NodeSelectorTerm
from scheduler.core.rejection import Rejection

NAME: Final = "NodeAffinity"
WEIGHT: Final = 2
REJECTION: Final = Rejection(NAME, ("node(s) didn't match Pod's node affinity/selector",), resolvable=False)
_WHOLE: Final = re.compile(r"[+-]?\d+", re.ASCII)


def fits(selector: Mapping[str, str], affinity: NodeAffinity, labels: Mapping[str, str], name: str) -> bool:
    """Tell whether the node's labels match nodeSelector and, if there are required terms, one of them."""
    if any(labels.get(key) != value for key, value in selector.items()):
        return False
    required = affinity.requiredDuringSchedulingIgnoredDuringExecution
    return required is None or any(matches(term, labels, name) for term in required.nodeSelectorTerms)


def preference(affinity: NodeAffinity, labels: Mapping[str, str], name: str) -> int:
    """Add up the weights of the preferred terms that the node matches."""
    return sum(
        preferred.weight
        for preferred in affinity.preferredDuringSchedulingIgnoredDuringExecution
        if matches(preferred.preference, labels, name)
    )


def matches(term: NodeSelectorTerm, labels: Mapping[str, str], name: str) -> bool:
    """Tell whether all of a term's requirements hold; an empty term matches no node."""
    if not term.matchExpressions and not term.matchFields:
        return False
    fields = {"metadata.name": name}
    return all(_holds(each, labels) for each in term.matchExpressions) and all(
        _holds(each, fields) for each in term.matchFields
    )


def _holds(requirement: NodeSelectorRequirement, values: Mapping[str, str]) -> bool:
    have = values.get(requirement.key)
    match requirement.operator:
        case "In":
            return have is not None and have in requirement.values
        case "NotIn":
            return have is None or have not in requirement.values
        case "Exists":
            return have is not None
        case "DoesNotExist":
            return have is None
        case "Gt" | "Lt":
            return have is not None and _compares(have, requirement.operator, requirement.values)
    return False


def _compares(have: str, operator: str, bounds: Sequence[str]) -> bool:
    if len(bounds) != 1 or not _WHOLE.fullmatch(have) or not _WHOLE.fullmatch(bounds[0]):
        return False
    return int(have) > int(bounds[0]) if operator == "Gt" else int(have) < int(bounds[0])

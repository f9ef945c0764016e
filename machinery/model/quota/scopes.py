"""Which objects a quota is about: its scopes and its scope selector, all of which have to match.

https://kubernetes.io/docs/concepts/policy/resource-quotas/#quota-scopes
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Final, TypeAlias

from machinery.model.json_objects import Json, spec
from machinery.model.pod_totals import container_amounts
from machinery.model.quota.usage import attributes_classes

Match: TypeAlias = Callable[[Json, Json], bool]
"""Whether an object is in the scope of one requirement (v1.ScopedResourceSelectorRequirement)."""

_AFFINITIES: Final = ("podAffinity", "podAntiAffinity")
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"


def requirements(quota: Json) -> list[Json]:
    """Return the requirements of a quota; a plain scope is one that the scope exists."""
    own = spec(quota)
    plain = [{"scopeName": scope, "operator": "Exists"} for scope in own.get("scopes") or ()]
    return [*plain, *((own.get("scopeSelector") or {}).get("matchExpressions") or ())]


def nothing(_requirement: Json, _obj: Json) -> bool:
    """Match no requirement: objects of most kinds are in no scope."""
    return False


def of_pod(requirement: Json, pod: Json) -> bool:
    """Whether a pod is in a scope."""
    scope = requirement.get("scopeName")
    if scope == "PriorityClass":
        name = spec(pod).get("priorityClassName")
        return _selects(requirement, [name] if name else [])
    is_in = _OF_PODS.get(scope)
    return is_in is not None and is_in(pod)


def of_claim(requirement: Json, claim: Json) -> bool:
    """Whether a claim is in a scope: only by its VolumeAttributesClasses."""
    if requirement.get("scopeName") != "VolumeAttributesClass":
        return False
    return _selects(requirement, list(attributes_classes(claim)))


def _is_terminating(pod: Json) -> bool:
    """Whether a pod ends by itself at some time; it has nothing to do with its deletion."""
    deadline_s = spec(pod).get("activeDeadlineSeconds")
    return deadline_s is not None and deadline_s >= 0


def is_best_effort(pod: Json) -> bool:
    """Whether a pod asks for neither CPU nor memory."""
    if qos_class := (pod.get("status") or {}).get("qosClass"):
        return bool(qos_class == "BestEffort")
    own = spec(pod)
    asking = (own, *(own.get("containers") or ()), *(own.get("initContainers") or ()))
    asked = (container_amounts(each, side) for each in asking for side in ("requests", "limits"))
    return not any(listed[name].value for listed in asked for name in ("cpu", "memory") if name in listed)


def _selects(requirement: Json, names: Collection[str]) -> bool:
    """Whether any of an object's names is selected; it may have none."""
    values = requirement.get("values") or ()
    match requirement.get("operator"):
        case "In":
            return any(name in values for name in names)
        case "NotIn":
            return not names or any(name not in values for name in names)
        case "Exists":
            return bool(names)
        case "DoesNotExist":
            return not names
    return False


def _affinity_terms(pod: Json) -> Iterator[Json]:
    affinity = spec(pod).get("affinity") or {}
    for field in _AFFINITIES:
        own = affinity.get(field) or {}
        yield from own.get(_REQUIRED) or ()
        for weighted in own.get(_PREFERRED) or ():
            yield weighted.get("podAffinityTerm") or {}


def _crosses(term: Json) -> bool:
    return bool(term.get("namespaces")) or term.get("namespaceSelector") is not None


def _uses_other_namespaces(pod: Json) -> bool:
    return any(map(_crosses, _affinity_terms(pod)))


_OF_PODS: Final[dict[str | None, Callable[[Json], bool]]] = {
    "Terminating": _is_terminating,
    "NotTerminating": lambda pod: not _is_terminating(pod),
    "BestEffort": is_best_effort,
    "NotBestEffort": lambda pod: not is_best_effort(pod),
    "CrossNamespacePodAffinity": _uses_other_namespaces,
}

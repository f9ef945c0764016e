"""The table of what is counted: of each resource, its usage, what a quota may limit, and at which writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from machinery.model.amounts import Amount
from machinery.model.json_objects import Json
from machinery.model.pod_totals import HUGE_PAGES
from machinery.model.quota import scopes, usage
from machinery.model.quota.usage import Moment, count_name

_POD_RESOURCES: Final = frozenset(
    {
        count_name("", "pods"),
        "pods",
        *(
            f"{side}{name}"
            for side in ("", "requests.", "limits.")
            for name in ("cpu", "memory", "ephemeral-storage")
        ),
    },
)
_REQUIRED: Final = frozenset(
    f"{side}{name}" for side in ("", "requests.", "limits.") for name in ("cpu", "memory")
)
_PREFIXES: Final = (HUGE_PAGES, f"requests.{HUGE_PAGES}")
_SERVICE_RESOURCES: Final = frozenset({count_name("", "services"), *usage.SERVICE_RESOURCES})
_CLAIM_RESOURCES: Final = frozenset({count_name("", "persistentvolumeclaims"), *usage.CLAIM_RESOURCES})
_DEVICE_CLAIMS: Final = count_name("resource.k8s.io", "resourceclaims")
_COUNTED_BY_NAME: Final = frozenset({"configmaps", "replicationcontrollers", "resourcequotas", "secrets"})
"""Resources whose number has, from before `count/`, a second name."""


def nothing_missing(_obj: Json, _names: frozenset[str]) -> str:
    """Demand nothing of an object."""
    return ""


@dataclass(frozen=True, slots=True)
class Evaluator:
    """How objects of one resource are counted."""

    usage: Callable[[Json, Moment], dict[str, Amount]]
    tracks: Callable[[str], bool]  # whether a quota's resource is about them
    counts: Callable[
        [str, Json, Json | None], bool
    ]  # whether a write of (subresource, new, old) changes usage
    in_scope: scopes.Match = scopes.nothing
    missing: Callable[[Json, frozenset[str]], str] = nothing_missing

    def tracked(self, names: frozenset[str]) -> frozenset[str]:
        """Return which of a quota's resources are about these objects."""
        return frozenset(filter(self.tracks, names))

    def matches(self, quota: Json, obj: Json) -> bool:
        """Whether an object is in all scopes of a quota."""
        return all(self.in_scope(requirement, obj) for requirement in scopes.requirements(quota))


def _created(subresource: str, _obj: Json, old: Json | None) -> bool:
    return not subresource and old is None


def _written(subresource: str, _obj: Json, _old: Json | None) -> bool:
    return not subresource


def _created_or_resized(subresource: str, obj: Json, old: Json | None) -> bool:
    return _created(subresource, obj, old) or (subresource == "resize" and old is not None)


def _claim_written(subresource: str, obj: Json, old: Json | None) -> bool:
    """Whether a claim is written, or its status tells of another size or another class."""
    if subresource != "status" or old is None:
        return not subresource
    allocated = [
        ((each.get("status") or {}).get("allocatedResources") or {}).get("storage") for each in (obj, old)
    ]
    return allocated[0] != allocated[1] or set(usage.attributes_classes(obj)) != set(
        usage.attributes_classes(old)
    )


def _tracks_pod(name: str) -> bool:
    return name in _POD_RESOURCES or name.startswith(_PREFIXES) or usage.is_extended_in_quota(name)


def _tracks_claim(name: str) -> bool:
    return name in _CLAIM_RESOURCES or usage.is_of_claim_class(name)


def _tracks_device_claim(name: str) -> bool:
    return name == _DEVICE_CLAIMS or usage.is_of_device_class(name)


def _missing_in_pod(pod: Json, names: frozenset[str]) -> str:
    return usage.missing_in_pod(pod, names & _REQUIRED)


_EVALUATORS: Final = {
    ("", "pods"): Evaluator(usage.of_pod, _tracks_pod, _created_or_resized, scopes.of_pod, _missing_in_pod),
    ("", "services"): Evaluator(usage.of_service, _SERVICE_RESOURCES.__contains__, _written),
    ("", "persistentvolumeclaims"): Evaluator(usage.of_claim, _tracks_claim, _claim_written, scopes.of_claim),
    ("resource.k8s.io", "resourceclaims"): Evaluator(usage.of_device_claim, _tracks_device_claim, _written),
}


def evaluator(group: str, plural: str) -> Evaluator:
    """Return how objects of a resource are counted; where there is nothing special about them, by their number."""
    return _EVALUATORS.get((group, plural)) or _by_number(group, plural)


def is_counted_by_number(group: str, plural: str) -> bool:
    """Whether nothing of an object counts but that it is there."""
    return (group, plural) not in _EVALUATORS


def _by_number(group: str, plural: str) -> Evaluator:
    names = {count_name(group, plural)}
    if not group and plural in _COUNTED_BY_NAME:
        names.add(plural)
    one = dict.fromkeys(sorted(names), usage.ONE)
    return Evaluator(lambda _obj, _moment: dict(one), names.__contains__, _created)

"""CSIDrivers: what the cluster has to know of a driver of volumes.

https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/csi-driver-v1/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.rules import Rules, Validate
from apiserver.core.table import storage as table
from apiserver.core.values import Json, spec
from machinery.model.errors import Cause

_DEFAULTS: Final = {
    "attachRequired": True,
    "fsGroupPolicy": "ReadWriteOnceWithFSType",
    "podInfoOnMount": False,
    "requiresRepublish": False,
    "seLinuxMount": False,
    "storageCapacity": False,
}
_GROUP_POLICIES: Final = frozenset({"File", "None", "ReadWriteOnceWithFSType"})
_MODES: Final = ["Persistent", "Ephemeral"]
_SHORTEST_TOKEN_S: Final = 600
_LONGEST_TOKEN_S: Final = 1 << 32
_SHORTEST_PERIOD_S: Final = 10
_COUNTED: Final = ("nodeAllocatableUpdatePeriodSeconds", "requiresRepublish", "seLinuxMount", "tokenRequests")


def _default(obj: Json) -> Json:
    own = obj.setdefault("spec", {})
    for name, value in _DEFAULTS.items():
        own.setdefault(name, value)
    if not own.get("volumeLifecycleModes"):
        own["volumeLifecycleModes"] = ["Persistent"]
    return obj


def _validate(obj: Json) -> list[Cause]:
    own = spec(obj)
    found = field_errors.one_of("spec.fsGroupPolicy", own["fsGroupPolicy"], _GROUP_POLICIES)
    found += _token_causes(own.get("tokenRequests") or [], "spec.tokenRequests")
    for mode in own["volumeLifecycleModes"]:
        found += field_errors.one_of("spec.volumeLifecycleModes", mode, _MODES)
    period_s = own.get("nodeAllocatableUpdatePeriodSeconds", _SHORTEST_PERIOD_S)
    if period_s < _SHORTEST_PERIOD_S:
        text = f"must be greater than or equal to {_SHORTEST_PERIOD_S} seconds"
        found.append(field_errors.invalid("spec.nodeAllocatableUpdatePeriodSeconds", period_s, text))
    return found


def _token_causes(requests: list[Json], path: str) -> list[Cause]:
    audiences = [each.get("audience", "") for each in requests]
    again = set(field_errors.repeated(audiences))
    found: list[Cause] = []
    for index, request in enumerate(requests):
        if index in again:
            found.append(field_errors.duplicate(f"{path}[{index}].audience", audiences[index]))
            continue
        where, life_s = f"{path}[{index}].expirationSeconds", request.get("expirationSeconds")
        if life_s is not None and life_s < _SHORTEST_TOKEN_S:
            text = "may not specify a duration less than 10 minutes"
            found.append(field_errors.invalid(where, life_s, text))
        if life_s is not None and life_s > _LONGEST_TOKEN_S:
            text = "may not specify a duration larger than 2^32 seconds"
            found.append(field_errors.invalid(where, life_s, text))
    return found


def _validate_update(new: Json, old: Json) -> list[Cause]:
    own, before = spec(new), spec(old)
    found = _validate(new)
    # The path of the first is Kubernetes' own.
    found += field_errors.unchanged(
        "spec.attachedRequired", own["attachRequired"], before.get("attachRequired")
    )
    modes = own["volumeLifecycleModes"], before.get("volumeLifecycleModes")
    return found + field_errors.unchanged("spec.volumeLifecycleModes", *modes)


def _is_next_generation(new: Json, old: Json) -> bool:
    return any(spec(new).get(name) != spec(old).get(name) for name in _COUNTED)


RULES: Final = Rules(
    default=_default,
    validate=Validate(create=_validate, update=_validate_update),
    counts_generation=True,
    is_next_generation=_is_next_generation,
    unconditional_update=False,
    deletion_returns_object=True,
    table=table.CSI_DRIVERS,
)

"""What of a pod's status has to be written: a strategic merge patch from what the API has to what is so now.

Only conditions that are the kubelet's and have changed are sent, so that nobody's readiness gate is overwritten with an old
value. A terminal phase is never taken back.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from kubelet.core.pod_conditions import is_ours
from machinery.model.conditions import is_true
from machinery.model.k8s.core_v1 import PodStatus

_TERMINAL: Final = frozenset({"Succeeded", "Failed"})
_OF_OTHERS: Final = ("resourceClaimStatuses", "extendedResourceClaimStatus")  # controllers write these
_BY_ADDRESS: Final = ("podIPs", "hostIPs")  # lists that the API merges by `ip`


def status_patch(known: PodStatus, wanted: PodStatus) -> dict[str, Any]:
    """Return the fields to patch; empty where the API has them all."""
    old: dict[str, Any] = msgspec.to_builtins(known)
    new: dict[str, Any] = msgspec.to_builtins(wanted)
    if known.phase in _TERMINAL:
        new["phase"] = known.phase
    patch = {
        field: new.get(field) for field in sorted(old.keys() | new.keys()) if old.get(field) != new.get(field)
    }
    for field in ("conditions", *_OF_OTHERS):
        patch.pop(field, None)
    if conditions := _conditions(_owned(old), _owned(new)):
        patch["conditions"] = conditions
    for field in _BY_ADDRESS:
        if patch.get(field) is not None:
            patch[field] = _addresses(old.get(field, []), new[field])
    return patch


def is_awaited(known: PodStatus, wanted: PodStatus) -> bool:
    """Whether others act on what has changed: the phase, or whether the pod is Ready. The rest is told to people."""
    return known.phase != wanted.phase or is_true(known.conditions, "Ready") != is_true(
        wanted.conditions, "Ready"
    )


def _conditions(old: dict[str, Any], new: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the conditions that are different; what one does not say any more is null, since they are merged.

    One that is not there any more (those of a resize) is deleted.
    """
    changed = [(old.get(type_, {}), each) for type_, each in new.items() if old.get(type_) != each]
    gone = [{"$patch": "delete", "type": type_} for type_ in old if type_ not in new]
    return [*({**dict.fromkeys(before.keys() - each.keys()), **each} for before, each in changed), *gone]


def _owned(status: dict[str, Any]) -> dict[str, Any]:
    conditions = status.get("conditions", [])
    return {each["type"]: each for each in conditions if is_ours(each["type"], each.get("reason", ""))}


def _addresses(old: list[dict[str, str]], new: list[dict[str, str]]) -> list[dict[str, str]]:
    gone = [{"$patch": "delete", "ip": each["ip"]} for each in old if each not in new]
    return [*new, *gone]

"""Priority: the class that a pod names becomes a number. PriorityClasses are not built, but the two of the system.

https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/
"""

from __future__ import annotations

from typing import Final

from apiserver.core.admission.attributes import Attributes, LookedUp, Plugin, Settings, about, forbidden
from apiserver.core.values import Json, spec
from machinery.model.k8s import served

SYSTEM_CLASSES: Final = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
_POLICY: Final = "PreemptLowerPriority"


def _admit(
    attributes: Attributes, obj: Json, old: Json | None, _looked_up: LookedUp, _settings: Settings
) -> Json:
    if attributes.subresource:
        return obj
    if old is not None and not attributes.creates(old):
        return _kept(obj, old)
    return _computed(attributes, obj)


def _kept(new: Json, old: Json) -> Json:
    """Carry over what was computed where an update does not say it."""
    before, after = spec(old), spec(new)
    silent = {
        name: before[name]
        for name in ("priority", "preemptionPolicy")
        if name in before and name not in after
    }
    return {**new, "spec": {**after, **silent}} if silent else new


def _computed(attributes: Attributes, pod: Json) -> Json:
    own = spec(pod)
    name = own.get("priorityClassName", "")
    if name and name not in SYSTEM_CLASSES:
        raise forbidden(attributes, pod, f"no PriorityClass with name {name} was found")
    priority = SYSTEM_CLASSES.get(name, 0)
    for field, what, value in (
        ("priority", "the integer value of priority", priority),
        ("preemptionPolicy", "the string value of PreemptionPolicy", _POLICY),
    ):
        if own.get(field, value) != value:
            text = (
                f"{what} ({own[field]}) must not be provided in pod spec; priority admission controller "
                f"computed {value} from the given PriorityClass name"
            )
            raise forbidden(attributes, pod, text)
    return {**pod, "spec": {**own, "priority": priority, "preemptionPolicy": _POLICY}}


PRIORITY: Final = Plugin("Priority", about(served.PODS), admit=_admit)

"""Priority: the class that a pod names, or the cluster's default one, becomes a number and a preemption policy.

https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/
"""

from __future__ import annotations

from typing import Final

from apiserver.core.admission.attributes import (
    EVERY_NAME,
    Attributes,
    LookedUp,
    LookupKey,
    Plugin,
    Settings,
    about,
    forbidden,
)
from apiserver.core.values import Json, metadata, spec
from machinery.model.k8s import served

SYSTEM_CLASSES: Final = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
"""Classes that every cluster has, also before it has written them."""

_CLASSES: Final = ("scheduling.k8s.io", "priorityclasses")
_EVERY: Final = (*_CLASSES, "", EVERY_NAME)
_POLICY: Final = "PreemptLowerPriority"
_NO_CLASS: Final[Json] = {"metadata": {"name": ""}, "value": 0, "preemptionPolicy": _POLICY}
_COMPUTED: Final = "must not be provided in pod spec; priority admission controller computed"


def _key(name: str) -> LookupKey:
    return (*_CLASSES, "", name)


def _class_name(pod: Json) -> str:
    return str(spec(pod).get("priorityClassName") or "")


def _needs(attributes: Attributes, obj: Json | None, old: Json | None) -> tuple[LookupKey, ...]:
    if obj is None or attributes.subresource or not attributes.creates(old):
        return ()
    return (_key(_class_name(obj) or EVERY_NAME),)


def _needs_default(attributes: Attributes, obj: Json | None, _old: Json | None) -> tuple[LookupKey, ...]:
    is_default = obj is not None and not attributes.subresource and obj.get("globalDefault")
    return (_key(EVERY_NAME),) if is_default else ()


def _admit(
    attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp, _settings: Settings
) -> Json:
    if attributes.subresource:
        return obj
    if old is not None and not attributes.creates(old):
        return _kept(obj, old)
    return _computed(attributes, obj, _class_of(attributes, obj, looked_up))


def _kept(new: Json, old: Json) -> Json:
    """Carry over what was computed where an update does not say it."""
    before, after = spec(old), spec(new)
    silent = {
        name: before[name]
        for name in ("priority", "preemptionPolicy")
        if name in before and name not in after
    }
    return {**new, "spec": {**after, **silent}} if silent else new


def _class_of(attributes: Attributes, pod: Json, looked_up: LookedUp) -> Json:
    name = _class_name(pod)
    if not name:
        return _default_class(looked_up) or _NO_CLASS
    found = looked_up[_key(name)]
    if found is not None:
        return found
    if name in SYSTEM_CLASSES:
        return {"metadata": {"name": name}, "value": SYSTEM_CLASSES[name], "preemptionPolicy": _POLICY}
    raise forbidden(attributes, pod, f"no PriorityClass with name {name} was found")


def _default_class(looked_up: LookedUp) -> Json | None:
    """Return the class of pods that name none: the lowest of those that are marked as such."""
    marked = [each for each in (looked_up[_EVERY] or {}).get("items") or () if each.get("globalDefault")]
    return min(marked, key=_value) if marked else None


def _value(priority_class: Json) -> int:
    return int(priority_class.get("value", 0))


def _computed(attributes: Attributes, pod: Json, priority_class: Json) -> Json:
    own, priority, policy = spec(pod), _value(priority_class), priority_class.get("preemptionPolicy")
    if own.get("priority", priority) != priority:
        text = f"the integer value of priority ({own['priority']}) {_COMPUTED} {priority}"
        raise forbidden(attributes, pod, f"{text} from the given PriorityClass name")
    if policy and own.get("preemptionPolicy", policy) != policy:
        text = f"the string value of PreemptionPolicy ({own['preemptionPolicy']}) {_COMPUTED} {policy}"
        raise forbidden(attributes, pod, f"{text} from the given PriorityClass name")
    computed = {"priority": priority, **({"preemptionPolicy": policy} if policy else {})}
    if name := metadata(priority_class).get("name", ""):
        computed["priorityClassName"] = name
    return {**pod, "spec": {**own, **computed}}


def _validate(
    attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp, _settings: Settings
) -> tuple[str, ...]:
    """Check that there is one default class at most."""
    if attributes.subresource or not obj.get("globalDefault"):
        return ()
    name = metadata(_default_class(looked_up) or {}).get("name", "")
    if name and (attributes.creates(old) or name != metadata(obj).get("name")):
        text = f"PriorityClass {name} is already marked as default. Only one default can exist"
        raise forbidden(attributes, obj, text)
    return ()


PRIORITY: Final = Plugin("Priority", about(served.PODS), needs=_needs, admit=_admit)
ONE_DEFAULT_PRIORITY: Final = Plugin(
    "Priority", frozenset({_CLASSES}), needs=_needs_default, validate=_validate
)

"""RuntimeClass: a pod names the class of its runtime; the class says what that costs, and which nodes have it.

https://kubernetes.io/docs/concepts/containers/runtime-class/
"""

from __future__ import annotations

from typing import Final

from apiserver.core.admission.attributes import (
    Attributes,
    LookedUp,
    LookupKey,
    Plugin,
    Settings,
    about,
    forbidden,
)
from apiserver.core.admission.merged_tolerations import merge_tolerations
from apiserver.core.values import Json, spec
from machinery.model import amounts
from machinery.model.k8s import served

_REJECTED: Final = "pod rejected:"


def _key(name: str) -> LookupKey:
    return ("node.k8s.io", "runtimeclasses", "", name)


def _name(pod: Json) -> str | None:
    return spec(pod).get("runtimeClassName")


def _needs(attributes: Attributes, obj: Json | None, old: Json | None) -> tuple[LookupKey, ...]:
    name = None if obj is None else _name(obj)
    if name is None or attributes.subresource or not attributes.creates(old):
        return ()
    return (_key(name),)


def _found(attributes: Attributes, pod: Json, looked_up: LookedUp) -> Json:
    """Return the class that a pod names, an empty one where it names none."""
    name = _name(pod)
    if name is None:
        return {}
    found = looked_up.get(_key(name))
    if found is None:
        raise forbidden(attributes, pod, f'{_REJECTED} RuntimeClass "{name}" not found')
    return found


def _admit(
    attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp, _settings: Settings
) -> Json:
    if _name(obj) is None or attributes.subresource or not attributes.creates(old):
        return obj
    runtime_class = _found(attributes, obj, looked_up)
    scheduling, overhead = runtime_class.get("scheduling") or {}, _overhead(runtime_class)
    if overhead:
        _check_overhead(attributes, obj, overhead)
        obj = {**obj, "spec": {**spec(obj), "overhead": dict(overhead)}}
    return _scheduled(attributes, obj, scheduling) if scheduling else obj


def _overhead(runtime_class: Json) -> Json:
    return (runtime_class.get("overhead") or {}).get("podFixed") or {}


def _check_overhead(attributes: Attributes, pod: Json, overhead: Json) -> None:
    own = spec(pod).get("overhead")
    if own and amounts.read(own) != amounts.read(overhead):
        text = f"{_REJECTED} Pod's Overhead doesn't match RuntimeClass's defined Overhead"
        raise forbidden(attributes, pod, text)


def _scheduled(attributes: Attributes, pod: Json, scheduling: Json) -> Json:
    """Have the pod run where nodes have its runtime: by labels and tolerations of both."""
    own = spec(pod)
    selector = own.get("nodeSelector") or {}
    for key, value in (scheduling.get("nodeSelector") or {}).items():
        if selector.get(key, value) != value:
            text = f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; pod.spec.nodeSelector[{key}] = {selector[key]}"
            raise forbidden(attributes, pod, text)
    merged = {**selector, **(scheduling.get("nodeSelector") or {})}
    tolerations = merge_tolerations(
        [*(own.get("tolerations") or ()), *map(dict, scheduling.get("tolerations") or ())]
    )
    changed = {"nodeSelector": merged, "tolerations": tolerations}
    return {**pod, "spec": {**own, **{name: value for name, value in changed.items() if value}}}


def _validate(
    attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp, _settings: Settings
) -> tuple[str, ...]:
    own = spec(obj)
    if "runtimeClassName" not in own and "overhead" not in own:
        return ()
    if attributes.subresource or not attributes.creates(old):
        return ()
    overhead = _overhead(_found(attributes, obj, looked_up))
    if not overhead and spec(obj).get("overhead"):
        text = f"{_REJECTED} Pod Overhead set without corresponding RuntimeClass defined Overhead"
        raise forbidden(attributes, obj, text)
    if overhead:
        _check_overhead(attributes, obj, overhead)
    return ()


RUNTIME_CLASS: Final = Plugin(
    "RuntimeClass", about(served.PODS), needs=_needs, admit=_admit, validate=_validate
)

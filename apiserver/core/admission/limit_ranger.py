"""LimitRanger: in a namespace with LimitRanges, containers get defaults, and what asks for too much or too little is refused.

https://kubernetes.io/docs/concepts/policy/limit-range/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import ceil
from typing import Final, TypeAlias

from apiserver.core.admission.attributes import (
    EVERY_NAME,
    Attributes,
    LookedUp,
    LookupKey,
    Plugin,
    Settings,
    forbidden,
)
from apiserver.core.values import Json, metadata, spec
from machinery.model import amounts
from machinery.model.amounts import Amount, Amounts
from machinery.model.k8s import served
from machinery.model.pod_totals import container_amounts, declared

ANNOTATION: Final = "kubernetes.io/limit-ranger"
_PODS: Final = (served.PODS.group, served.PODS.plural)
_CLAIMS: Final = ("", "persistentvolumeclaims")
_CONTAINER_LISTS: Final = (("containers", "container"), ("initContainers", "init container"))

_Constraint: TypeAlias = Callable[[str, str, Amount, Amounts, Amounts], str]
"""Checks (the limit's type, the resource, its limit, requests, limits); returns what is wrong, or ""."""


def item_with_defaults(item: Json) -> Json:
    """Return one of a LimitRange's limits as it is stored: for containers, what it leaves out follows from the rest."""
    if item.get("type") != "Container":
        return item
    default = {**(item.get("max") or {}), **(item.get("default") or {})}
    request = {**(item.get("min") or {}), **default, **(item.get("defaultRequest") or {})}
    filled = {"default": default, "defaultRequest": request}
    return {**item, **{name: value for name, value in filled.items() if value}}


# Defaults


def with_defaults(pod: Json, ranges: Iterable[Json]) -> Json:
    """Return a new pod whose containers ask for what LimitRanges give them; an annotation says what was given."""
    for limit_range in ranges:
        pod = _with_defaults(pod, limit_range)
    return pod


def _with_defaults(pod: Json, limit_range: Json) -> Json:
    limits: dict[str, str] = {}
    requests: dict[str, str] = {}
    for item in _items(limit_range, "Container"):
        limits |= item.get("default") or {}
        requests |= item.get("defaultRequest") or {}
    own = dict(spec(pod))
    given: list[str] = []
    for field, word in _CONTAINER_LISTS:
        if field in own:
            own[field] = [_completed(each, requests, limits, word, given) for each in own[field]]
    if not given:
        return pod
    meta = metadata(pod)
    annotations = {
        **(meta.get("annotations") or {}),
        ANNOTATION: f"LimitRanger plugin set: {'; '.join(given)}",
    }
    return {**pod, "metadata": {**meta, "annotations": annotations}, "spec": own}


def _completed(
    container: Json, requests: Mapping[str, str], limits: Mapping[str, str], word: str, given: list[str]
) -> Json:
    resources = dict(container.get("resources") or {})
    before = len(given)
    for field, defaults in (("requests", requests), ("limits", limits)):
        own = resources.get(field) or {}
        if missing := sorted(defaults.keys() - own.keys()):
            resources[field] = {**own, **{name: defaults[name] for name in missing}}
            given.append(
                f"{', '.join(missing)} {field.removesuffix('s')} for {word} {container.get('name', '')}"
            )
    return container if len(given) == before else {**container, "resources": resources}


# Limits


def pod_problems(pod: Json, limit_range: Json) -> list[str]:
    """Return where a pod, or one of its containers, is outside the limits of a LimitRange."""
    found: list[str] = []
    for item in _items(limit_range, "Container", "Pod"):
        for requests, limits in _asked_for(pod, item):
            found += _problems(item, requests, limits)
    return found


def _asked_for(pod: Json, item: Json) -> Iterator[tuple[Amounts, Amounts]]:
    if item.get("type") == "Pod":
        yield declared(pod, "requests"), declared(pod, "limits")
        return
    for field, _ in _CONTAINER_LISTS:
        for container in spec(pod).get(field) or ():
            yield container_amounts(container, "requests"), container_amounts(container, "limits")


def claim_problems(claim: Json, limit_range: Json) -> list[str]:
    """Return where a PersistentVolumeClaim is outside the limits of a LimitRange: only what it requests counts."""
    requests = container_amounts(spec(claim), "requests")
    found: list[str] = []
    for item in _items(limit_range, "PersistentVolumeClaim"):
        found += _checked(item, "min", _minimum, requests, {})
        found += _checked(item, "max", _maximum_of_requests, requests, {})
    return found


def _items(limit_range: Json, *types: str) -> list[Json]:
    return [item for item in spec(limit_range).get("limits") or () if item.get("type") in types]


def _problems(item: Json, requests: Amounts, limits: Amounts) -> list[str]:
    return [
        *_checked(item, "min", _minimum, requests, limits),
        *_checked(item, "max", _maximum, requests, limits),
        *_checked(item, "maxLimitRequestRatio", _ratio, requests, limits),
    ]


def _checked(
    item: Json, field: str, constraint: _Constraint, requests: Amounts, limits: Amounts
) -> Iterator[str]:
    for name, limit in sorted(amounts.read(item.get(field)).items()):
        if problem := constraint(item.get("type", ""), name, limit, requests, limits):
            yield problem


def _milli(amount: Amount) -> int:
    """Return thousandths, rounded up: as exactly as limits are compared."""
    return ceil(amount.value * 1000)


def _minimum(type_: str, name: str, limit: Amount, requests: Amounts, limits: Amounts) -> str:
    least = f"minimum {name} usage per {type_} is {limit}"
    if name not in requests:
        return f"{least}.  No request is specified"
    if _milli(requests[name]) < _milli(limit):
        return f"{least}, but request is {requests[name]}"
    if name in limits and _milli(limits[name]) < _milli(limit):
        return f"{least}, but limit is {limits[name]}"
    return ""


def _maximum(type_: str, name: str, limit: Amount, requests: Amounts, limits: Amounts) -> str:
    most = f"maximum {name} usage per {type_} is {limit}"
    if name not in limits:
        return f"{most}.  No limit is specified"
    if _milli(limits[name]) > _milli(limit):
        return f"{most}, but limit is {limits[name]}"
    if name in requests and _milli(requests[name]) > _milli(limit):
        return f"{most}, but request is {requests[name]}"
    return ""


def _maximum_of_requests(type_: str, name: str, limit: Amount, requests: Amounts, _limits: Amounts) -> str:
    most = f"maximum {name} usage per {type_} is {limit}"
    if name not in requests:
        return f"{most}.  No request is specified"
    return f"{most}, but request is {requests[name]}" if _milli(requests[name]) > _milli(limit) else ""


def _ratio(type_: str, name: str, limit: Amount, requests: Amounts, limits: Amounts) -> str:
    most = f"{name} max limit to request ratio per {type_} is {limit}"
    if not (request := _milli(requests.get(name, amounts.ZERO))):
        return f"{most}, but no request is specified or request is 0"
    if not (own := _milli(limits.get(name, amounts.ZERO))):
        return f"{most}, but no limit is specified or limit is 0"
    if own * 1000 > _milli(limit) * request:
        return f"{most}, but provided ratio is {own / request:f}"
    return ""


# The plugin


def _is_meant(attributes: Attributes, old: Json | None) -> bool:
    """Whether LimitRanges hold for a write: for new pods and those that are resized, and for claims."""
    if old is not None and "deletionTimestamp" in metadata(old):
        return False
    if attributes.resource == _PODS:
        return attributes.subresource == "resize" or (not attributes.subresource and attributes.creates(old))
    return not attributes.subresource


def _key(attributes: Attributes) -> LookupKey:
    return ("", "limitranges", attributes.namespace, EVERY_NAME)


def _needs(attributes: Attributes, obj: Json | None, old: Json | None) -> tuple[LookupKey, ...]:
    return (_key(attributes),) if obj is not None and _is_meant(attributes, old) else ()


def _ranges(attributes: Attributes, looked_up: LookedUp) -> Sequence[Json]:
    return (looked_up[_key(attributes)] or {}).get("items") or ()


def _admit(
    attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp, _settings: Settings
) -> Json:
    if attributes.resource != _PODS or not _is_meant(attributes, old):
        return obj
    return with_defaults(obj, _ranges(attributes, looked_up))


def _validate(
    attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp, _settings: Settings
) -> tuple[str, ...]:
    if not _is_meant(attributes, old):
        return ()
    problems = pod_problems if attributes.resource == _PODS else claim_problems
    for limit_range in _ranges(attributes, looked_up):
        if found := list(dict.fromkeys(problems(obj, limit_range))):
            raise forbidden(attributes, obj, found[0] if len(found) == 1 else f"[{', '.join(found)}]")
    return ()


LIMIT_RANGER: Final = Plugin(
    "LimitRanger", frozenset({_PODS, _CLAIMS}), needs=_needs, admit=_admit, validate=_validate
)

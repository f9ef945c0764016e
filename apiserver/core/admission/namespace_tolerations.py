"""PodTolerationRestriction: a namespace says what its pods tolerate, and what they may; not on by default.

https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#podtolerationrestriction
"""

from __future__ import annotations

from typing import Final

import msgspec

from apiserver.core.admission.attributes import (
    Attributes,
    LookedUp,
    LookupKey,
    Plugin,
    Settings,
    about,
    forbidden,
)
from apiserver.core.admission.merged_tolerations import all_covered, merge_tolerations
from apiserver.core.values import Json, metadata, spec
from machinery.model.k8s import served
from machinery.model.k8s.core_v1 import Toleration
from machinery.model.quota.scopes import is_best_effort
from machinery.model.taints import MEMORY_PRESSURE, NO_SCHEDULE

_DEFAULTS: Final = "scheduler.alpha.kubernetes.io/defaultTolerations"
_ALLOWED: Final = "scheduler.alpha.kubernetes.io/tolerationsWhitelist"
_OF_LASTING_PODS: Final = {"key": MEMORY_PRESSURE, "operator": "Exists", "effect": NO_SCHEDULE}


def _key(namespace: str) -> LookupKey:
    return ("", served.NAMESPACES.plural, "", namespace)


def _needs(attributes: Attributes, obj: Json | None, _old: Json | None) -> tuple[LookupKey, ...]:
    return () if obj is None or attributes.subresource else (_key(attributes.namespace),)


def _annotated(attributes: Attributes, pod: Json, looked_up: LookedUp, name: str) -> list[Json] | None:
    """Return the tolerations in an annotation of the namespace; None where it has none.

    Raises:
        Forbidden: what stands there is no list of tolerations.
    """
    namespace = looked_up[_key(attributes.namespace)] or {}
    text = (metadata(namespace).get("annotations") or {}).get(name)
    if not text:
        return None if text is None else []
    try:
        found = msgspec.json.decode(text, type=list[Toleration])
    except (msgspec.MsgspecError, RecursionError) as error:
        why = f"the annotation {name} of its namespace is no list of tolerations: {error}"
        raise forbidden(attributes, pod, why) from error
    return [*map(msgspec.to_builtins, found)]


def _check_allowed(attributes: Attributes, pod: Json, looked_up: LookedUp, settings: Settings) -> None:
    allowed, scope = _annotated(attributes, pod, looked_up, _ALLOWED), "namespace"
    if allowed is None:
        allowed, scope = [*settings.allowed_tolerations], "cluster"
    if allowed and not all_covered(spec(pod).get("tolerations") or (), allowed):
        text = f"pod tolerations (possibly merged with namespace default tolerations) conflict with its {scope} whitelist"
        raise forbidden(attributes, pod, text)


def _admit(
    attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp, settings: Settings
) -> Json:
    if attributes.subresource:
        return obj
    more: list[Json] = []
    if attributes.creates(old):
        defaults = _annotated(attributes, obj, looked_up, _DEFAULTS)
        more += settings.default_tolerations if defaults is None else defaults
    if not is_best_effort(obj):
        more.append(_OF_LASTING_PODS)
    if more:
        merged = merge_tolerations([*(spec(obj).get("tolerations") or ()), *more])
        obj = {**obj, "spec": {**spec(obj), "tolerations": merged}}
    _check_allowed(attributes, obj, looked_up, settings)
    return obj


def _validate(
    attributes: Attributes, obj: Json, _old: Json | None, looked_up: LookedUp, settings: Settings
) -> tuple[str, ...]:
    if not attributes.subresource:
        _check_allowed(attributes, obj, looked_up, settings)
    return ()


POD_TOLERATIONS: Final = Plugin(
    "PodTolerationRestriction", about(served.PODS), needs=_needs, admit=_admit, validate=_validate
)

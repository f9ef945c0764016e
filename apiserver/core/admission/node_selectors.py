"""PodNodeSelector: pods go to the nodes that their namespace names; not on by default.

https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#podnodeselector
"""

from __future__ import annotations

from collections.abc import Mapping
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
from apiserver.core.values import Json, metadata, spec
from machinery.model.k8s import served
from machinery.model.names import label_key_errors, label_value_errors

_ANNOTATION: Final = "scheduler.alpha.kubernetes.io/node-selector"
_EVERYWHERE: Final = "clusterDefaultNodeSelector"
_CONFLICT: Final = "pod node label selector conflicts with its namespace node label selector"
_NOT_ALLOWED: Final = "pod node label selector labels conflict with its namespace whitelist"


def read_selector(text: str) -> dict[str, str]:
    """Read labels as an annotation has them: `a=b,c=d`.

    Raises:
        ValueError: they are none.
    """
    found: dict[str, str] = {}
    for each in text.split(",") if text else ():
        key, *values = each.split("=")
        if len(values) != 1:
            raise ValueError(f"invalid selector: [{' '.join((key, *values))}]")
        name, value = key.strip(), values[0].strip()
        if wrong := [*label_key_errors(name), *label_value_errors(value)]:
            raise ValueError(f"invalid selector: {each}: {wrong[0]}")
        found[name] = value
    return found


def _key(namespace: str) -> LookupKey:
    return ("", served.NAMESPACES.plural, "", namespace)


def _is_concerned(attributes: Attributes, old: Json | None) -> bool:
    return not attributes.subresource and attributes.creates(old)


def _needs(attributes: Attributes, obj: Json | None, old: Json | None) -> tuple[LookupKey, ...]:
    if obj is None or not _is_concerned(attributes, old):
        return ()
    return (_key(attributes.namespace),)


def _of_namespace(
    attributes: Attributes, pod: Json, looked_up: LookedUp, settings: Settings
) -> dict[str, str]:
    """Return the labels that a namespace asks for; without an annotation those of the whole cluster.

    Raises:
        Forbidden: the annotation makes no sense, or the pod wants other nodes.
    """
    namespace = looked_up[_key(attributes.namespace)] or {}
    text = (metadata(namespace).get("annotations") or {}).get(_ANNOTATION)
    try:
        wanted = read_selector(settings.node_selectors.get(_EVERYWHERE, "") if text is None else text)
    except ValueError as error:
        raise forbidden(attributes, pod, str(error)) from error
    own = spec(pod).get("nodeSelector") or {}
    if any(own.get(name, value) != value for name, value in wanted.items()):
        raise forbidden(attributes, pod, _CONFLICT)
    return wanted


def _check_allowed(attributes: Attributes, pod: Json, selectors: Mapping[str, str]) -> None:
    allowed = read_selector(selectors.get(attributes.namespace, ""))
    own = spec(pod).get("nodeSelector") or {}
    if allowed and not own.items() <= allowed.items():
        raise forbidden(attributes, pod, _NOT_ALLOWED)


def _admit(
    attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp, settings: Settings
) -> Json:
    if not _is_concerned(attributes, old):
        return obj
    if wanted := _of_namespace(attributes, obj, looked_up, settings):
        own = spec(obj)
        obj = {**obj, "spec": {**own, "nodeSelector": {**wanted, **(own.get("nodeSelector") or {})}}}
    _check_allowed(attributes, obj, settings.node_selectors)
    return obj


def _validate(
    attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp, settings: Settings
) -> tuple[str, ...]:
    if _is_concerned(attributes, old):
        _of_namespace(attributes, obj, looked_up, settings)
        _check_allowed(attributes, obj, settings.node_selectors)
    return ()


POD_NODE_SELECTOR: Final = Plugin(
    "PodNodeSelector", about(served.PODS), needs=_needs, admit=_admit, validate=_validate
)

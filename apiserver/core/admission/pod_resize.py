"""PodResizeValidator: no pod is resized to more than its node can ever give, nor on a node that cannot resize.

A resize that the node has no room for at the moment is accepted; its kubelet defers it.
https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/
"""

from __future__ import annotations

from collections.abc import Iterator
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
from machinery.model import amounts, pod_totals, quantity
from machinery.model.k8s import served

_OS: Final = "kubernetes.io/os"
_IN_UNITS: Final = {"cpu": quantity.cpu_millicores, "memory": quantity.memory_bytes}


def _node_of(attributes: Attributes, old: Json | None) -> str:
    """Return the node of a pod that is resized; "" where there is none, or none is resized."""
    if attributes.subresource != "resize" or old is None:
        return ""
    return str(spec(old).get("nodeName") or "")


def _key(node: str) -> LookupKey:
    return ("", served.NODES.plural, "", node)


def _needs(attributes: Attributes, obj: Json | None, old: Json | None) -> tuple[LookupKey, ...]:
    node = "" if obj is None else _node_of(attributes, old)
    return (_key(node),) if node else ()


def _validate(
    attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp, _settings: Settings
) -> tuple[str, ...]:
    name = _node_of(attributes, old)
    if not name or spec(obj) == spec(old or {}):
        return ()
    node = looked_up[_key(name)]
    if node is None:
        raise forbidden(attributes, obj, f'node "{name}" not found')
    if short := "; ".join(_short(obj, (node.get("status") or {}).get("allocatable") or {})):
        raise forbidden(attributes, obj, f"Node didn't have enough allocatable resources: {short}")
    system = (metadata(node).get("labels") or {}).get(_OS, "")
    if system != "linux":
        text = f'pod resize is only supported on linux nodes, node "{name}" is "{system}"'
        raise forbidden(attributes, obj, text)
    return ()


def _short(pod: Json, allocatable: Json) -> Iterator[str]:
    """Yield what a pod asks for more of than its node has in all: cpu in thousandths, memory in bytes."""
    wanted = amounts.added(pod_totals.declared(pod, "requests"), amounts.read(spec(pod).get("overhead")))
    for name, units in _IN_UNITS.items():
        requested, whole = units(str(wanted.get(name, "0"))), units(str(allocatable.get(name, "0")))
        if requested > whole:
            yield f"{name}, requested: {requested}, allocatable: {whole}"


POD_RESIZE: Final = Plugin("PodResizeValidator", about(served.PODS), needs=_needs, validate=_validate)

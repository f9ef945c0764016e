"""PodTopologyLabels: a pod has the labels of its node that say where that is, so that its containers can be told.

https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#podtopologylabels
"""

from __future__ import annotations

from typing import Final

from apiserver.core.admission.attributes import Attributes, LookedUp, LookupKey, Plugin, Settings, about
from apiserver.core.values import Json, metadata, spec
from machinery.model.k8s import served

_LABELS: Final = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")


def _node(attributes: Attributes, obj: Json | None, old: Json | None) -> str:
    """Return the node that a write gives to a pod; "" where it gives none."""
    if obj is None:
        return ""
    if attributes.subresource == "binding":
        target = obj.get("target") or {}
        return str(target.get("name", "")) if target.get("kind", "Node") == "Node" else ""
    if attributes.subresource or not attributes.creates(old):
        return ""
    return str(spec(obj).get("nodeName") or "")


def _key(node: str) -> LookupKey:
    return ("", served.NODES.plural, "", node)


def _needs(attributes: Attributes, obj: Json | None, old: Json | None) -> tuple[LookupKey, ...]:
    node = _node(attributes, obj, old)
    return (_key(node),) if node else ()


def _admit(
    attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp, _settings: Settings
) -> Json:
    node = _node(attributes, obj, old)
    if not node:
        return obj
    labels = metadata(looked_up.get(_key(node)) or {}).get("labels") or {}
    copied = {name: labels[name] for name in _LABELS if name in labels}
    if not copied:
        return obj
    meta = metadata(obj)
    return {**obj, "metadata": {**meta, "labels": {**(meta.get("labels") or {}), **copied}}}


POD_TOPOLOGY_LABELS: Final = Plugin("PodTopologyLabels", about(served.PODS), needs=_needs, admit=_admit)

"""DefaultStorageClass and DefaultIngressClass: claims and Ingresses that name no class get the cluster's default one.

https://kubernetes.io/docs/concepts/storage/storage-classes/#default-storageclass
https://kubernetes.io/docs/concepts/services-networking/ingress/#default-ingress-class
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from apiserver.core.admission.attributes import (
    EVERY_NAME,
    Attributes,
    LookedUp,
    LookupKey,
    Plugin,
    Settings,
)
from apiserver.core.values import Json, metadata, spec

STORAGE_CLASS: Final = "volume.beta.kubernetes.io/storage-class"
"""The annotation that names a claim's class from before there was a field."""


def default_class(classes: Iterable[Json], marks: Iterable[str]) -> str:
    """Return the newest class that one of the annotations marks, the first by name of equally old ones; "" for none."""
    marked = [each for each in classes if any(_annotations(each).get(mark) == "true" for mark in marks)]
    if not marked:
        return ""
    newest = max(metadata(each).get("creationTimestamp", "") for each in marked)
    return min(
        str(metadata(each)["name"])
        for each in marked
        if metadata(each).get("creationTimestamp", "") == newest
    )


def _annotations(obj: Json) -> Json:
    return metadata(obj).get("annotations") or {}


def _plugin(
    name: str,
    about: tuple[str, str],
    field: str,
    annotation: str,
    classes: LookupKey,
    marks: Sequence[str],
) -> Plugin:
    """Return the plugin of one kind: new objects whose `field` names no class, nor their annotation, get the default one."""

    def is_without(attributes: Attributes, obj: Json | None, old: Json | None) -> bool:
        if obj is None or attributes.subresource or not attributes.creates(old):
            return False
        return field not in spec(obj) and annotation not in _annotations(obj)

    def needs(attributes: Attributes, obj: Json | None, old: Json | None) -> tuple[LookupKey, ...]:
        return (classes,) if is_without(attributes, obj, old) else ()

    def admit(
        attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp, _settings: Settings
    ) -> Json:
        if not is_without(attributes, obj, old):
            return obj
        chosen = default_class((looked_up[classes] or {}).get("items") or (), marks)
        return {**obj, "spec": {**spec(obj), field: chosen}} if chosen else obj

    return Plugin(name, frozenset({about}), needs=needs, admit=admit)


DEFAULT_STORAGE_CLASS: Final = _plugin(
    "DefaultStorageClass",
    ("", "persistentvolumeclaims"),
    "storageClassName",
    STORAGE_CLASS,
    ("storage.k8s.io", "storageclasses", "", EVERY_NAME),
    (
        "storageclass.kubernetes.io/is-default-class",
        "storageclass.beta.kubernetes.io/is-default-class",
    ),
)
DEFAULT_INGRESS_CLASS: Final = _plugin(
    "DefaultIngressClass",
    ("networking.k8s.io", "ingresses"),
    "ingressClassName",
    "kubernetes.io/ingress.class",
    ("networking.k8s.io", "ingressclasses", "", EVERY_NAME),
    ("ingressclass.kubernetes.io/is-default-class",),
)

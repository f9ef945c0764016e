"""DefaultStorageClass and DefaultIngressClass: claims and Ingresses that name no class get the cluster's default one.

https://kubernetes.io/docs/concepts/storage/storage-classes/#default-storageclass
https://kubernetes.io/docs/concepts/services-networking/ingress/#default-ingress-class
"""

from __future__ import annotations

from collections.abc import Iterable
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

_CLAIMS: Final = ("", "persistentvolumeclaims")
_INGRESSES: Final = ("networking.k8s.io", "ingresses")
_STORAGE_CLASSES: Final[LookupKey] = ("storage.k8s.io", "storageclasses", "", EVERY_NAME)
_INGRESS_CLASSES: Final[LookupKey] = ("networking.k8s.io", "ingressclasses", "", EVERY_NAME)
STORAGE_CLASS: Final = "volume.beta.kubernetes.io/storage-class"
"""The annotation that names a claim's class from before there was a field."""
_INGRESS_CLASS: Final = "kubernetes.io/ingress.class"
_STORAGE_DEFAULT: Final = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
_INGRESS_DEFAULT: Final = ("ingressclass.kubernetes.io/is-default-class",)


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


def _lacks_storage_class(attributes: Attributes, obj: Json | None, old: Json | None) -> bool:
    if obj is None or attributes.subresource or not attributes.creates(old):
        return False
    return "storageClassName" not in spec(obj) and STORAGE_CLASS not in _annotations(obj)


def _lacks_ingress_class(attributes: Attributes, obj: Json | None, old: Json | None) -> bool:
    if obj is None or attributes.subresource or not attributes.creates(old):
        return False
    return "ingressClassName" not in spec(obj) and _INGRESS_CLASS not in _annotations(obj)


def _needs_storage(attributes: Attributes, obj: Json | None, old: Json | None) -> tuple[LookupKey, ...]:
    return (_STORAGE_CLASSES,) if _lacks_storage_class(attributes, obj, old) else ()


def _needs_ingress(attributes: Attributes, obj: Json | None, old: Json | None) -> tuple[LookupKey, ...]:
    return (_INGRESS_CLASSES,) if _lacks_ingress_class(attributes, obj, old) else ()


def _items(looked_up: LookedUp, key: LookupKey) -> list[Json]:
    return (looked_up[key] or {}).get("items") or []


def _with(obj: Json, field: str, name: str) -> Json:
    return {**obj, "spec": {**spec(obj), field: name}} if name else obj


def _admit_storage(
    attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp, _settings: Settings
) -> Json:
    if not _lacks_storage_class(attributes, obj, old):
        return obj
    classes = _items(looked_up, _STORAGE_CLASSES)
    return _with(obj, "storageClassName", default_class(classes, _STORAGE_DEFAULT))


def _admit_ingress(
    attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp, _settings: Settings
) -> Json:
    if not _lacks_ingress_class(attributes, obj, old):
        return obj
    classes = _items(looked_up, _INGRESS_CLASSES)
    return _with(obj, "ingressClassName", default_class(classes, _INGRESS_DEFAULT))


DEFAULT_STORAGE_CLASS: Final = Plugin(
    "DefaultStorageClass", frozenset({_CLAIMS}), needs=_needs_storage, admit=_admit_storage
)
DEFAULT_INGRESS_CLASS: Final = Plugin(
    "DefaultIngressClass", frozenset({_INGRESSES}), needs=_needs_ingress, admit=_admit_ingress
)

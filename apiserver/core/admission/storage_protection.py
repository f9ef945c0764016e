"""StorageObjectInUseProtection: claims, volumes and their classes of attributes stay while something uses them; and which claims may grow.

A finalizer is set here with each new object; its controllers (`controllers/pvc_protection`, `controllers/pv_protection`,
`controllers/vac_protection`) take it away. PersistentVolumeClaimResize is the other plugin.
https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection
"""

from __future__ import annotations

from typing import Final

from apiserver.core.admission.attributes import (
    Attributes,
    LookedUp,
    LookupKey,
    Plugin,
    Settings,
    forbidden,
)
from apiserver.core.admission.default_classes import STORAGE_CLASS
from apiserver.core.values import Json, metadata, spec
from machinery.model import amounts
from machinery.model.storage import ATTRIBUTES_PROTECTION, CLAIM_PROTECTION, VOLUME_PROTECTION

_CLAIMS: Final = ("", "persistentvolumeclaims")
_FINALIZERS: Final = {
    _CLAIMS: CLAIM_PROTECTION,
    ("", "persistentvolumes"): VOLUME_PROTECTION,
    ("storage.k8s.io", "volumeattributesclasses"): ATTRIBUTES_PROTECTION,
}


def _admit(
    attributes: Attributes, obj: Json, old: Json | None, _looked_up: LookedUp, _settings: Settings
) -> Json:
    finalizer, meta = _FINALIZERS[attributes.resource], metadata(obj)
    finalizers = meta.get("finalizers") or []
    if attributes.subresource or not attributes.creates(old) or finalizer in finalizers:
        return obj
    return {**obj, "metadata": {**meta, "finalizers": [*finalizers, finalizer]}}


# PersistentVolumeClaimResize


def _grows(attributes: Attributes, obj: Json | None, old: Json | None) -> bool:
    if obj is None or old is None or attributes.subresource:
        return False
    new, before = (_storage(each).get("storage", amounts.ZERO).value for each in (obj, old))
    return new > before


def _storage(claim: Json) -> amounts.Amounts:
    requests = (spec(claim).get("resources") or {}).get("requests") or {}
    return amounts.read({name: value for name, value in requests.items() if name == "storage"})


def _class(claim: Json) -> str:
    annotated = (metadata(claim).get("annotations") or {}).get(STORAGE_CLASS)
    return str(spec(claim).get("storageClassName") or "" if annotated is None else annotated)


def _key(claim: Json) -> LookupKey:
    return ("storage.k8s.io", "storageclasses", "", _class(claim))


def _needs_class(attributes: Attributes, obj: Json | None, old: Json | None) -> tuple[LookupKey, ...]:
    return (_key(old),) if old is not None and _class(old) and _grows(attributes, obj, old) else ()


def _validate_size(
    attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp, _settings: Settings
) -> tuple[str, ...]:
    if old is None or not _grows(attributes, obj, old):
        return ()
    if (old.get("status") or {}).get("phase") != "Bound":
        raise forbidden(attributes, obj, "Only bound persistent volume claims can be expanded")
    name = _class(old)
    allowing = looked_up.get(_key(old)) if name and name == _class(obj) else None
    if not (allowing or {}).get("allowVolumeExpansion"):
        text = (
            "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must "
            "support resize"
        )
        raise forbidden(attributes, obj, text)
    return ()


STORAGE_PROTECTION: Final = Plugin("StorageObjectInUseProtection", frozenset(_FINALIZERS), admit=_admit)
CLAIM_RESIZE: Final = Plugin(
    "PersistentVolumeClaimResize", frozenset({_CLAIMS}), needs=_needs_class, validate=_validate_size
)

"""VolumeAttachments: that a volume is to be attached to a node, and whether it is.

https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/volume-attachment-v1/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.csi import driver_name_causes
from apiserver.core.rules import OWN_METADATA, Prepare, Rules, Validate, WriteContext, with_old_status
from apiserver.core.table import storage as table
from apiserver.core.values import Json, spec
from apiserver.core.volume_claims import access_mode_causes
from machinery.model import names
from machinery.model.errors import Cause

_ONE: Final = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
_METADATA_LIMIT_BYTES: Final = 256 * 1024
_LONGEST_MESSAGE: Final = 1024
_INLINE: Final = "in the context of inline volumes"


def _default(obj: Json) -> Json:
    obj.setdefault("status", {}).setdefault("attached", False)
    return obj


def _prepare_create(obj: Json, _context: WriteContext) -> Json:
    return {**obj, "status": {"attached": False}}


def _validate(obj: Json) -> list[Cause]:
    own = spec(obj)
    source, node = own.get("source") or {}, own.get("nodeName", "")
    found = driver_name_causes(own.get("attacher", ""), "spec.attacher")
    found += _source_causes(source, "spec.source")
    return found + field_errors.each_invalid("spec.nodeName", node, names.dns_subdomain_errors(node))


def _source_causes(source: Json, path: str) -> list[Cause]:
    inline, volume = source.get("inlineVolumeSpec"), source.get("persistentVolumeName")
    if inline is None and volume is None:
        return [field_errors.required(path, _ONE)]
    if inline is not None and volume is not None:
        return [field_errors.forbidden(path, _ONE)]
    if inline is not None:
        return _inline_causes(inline, f"{path}.inlineVolumeSpec")
    where = f"{path}.persistentVolumeName"
    if not volume:
        return [field_errors.required(where, "must specify non empty persistentVolumeName")]
    return field_errors.each_invalid(where, volume, names.dns_subdomain_errors(volume))


def _inline_causes(own: Json, path: str) -> list[Cause]:
    """Check a volume that a pod brought with it: a driver's, with nothing of its own lifecycle."""
    found = [
        field_errors.forbidden(f"{path}.{name}", f"may not be specified {_INLINE}")
        for name in ("claimRef", "capacity", "nodeAffinity", "storageClassName")
        if own.get(name)
    ]
    if "csi" not in own:
        found.append(field_errors.required(f"{path}.csi", f"has to be specified {_INLINE}"))
    elif not own["csi"].get("volumeHandle"):
        found.append(field_errors.required(f"{path}.csi.volumeHandle"))
    if not own.get("accessModes"):
        found.append(field_errors.required(f"{path}.accessModes"))
    found += access_mode_causes(own.get("accessModes") or [], path)
    if own.get("persistentVolumeReclaimPolicy", "Retain") != "Retain":
        where, text = f"{path}.persistentVolumeReclaimPolicy", f'may only be "Retain" {_INLINE}'
        found.append(field_errors.forbidden(where, text))
    return found


def _status_causes(status: Json) -> list[Cause]:
    attached = status.get("attachmentMetadata") or {}
    found: list[Cause] = []
    if (
        sum(len(key.encode()) + len(value.encode()) for key, value in attached.items())
        > _METADATA_LIMIT_BYTES
    ):
        found.append(field_errors.too_long("status.attachmentMetadata", _METADATA_LIMIT_BYTES))
    for name in ("attachError", "detachError"):
        found += _error_causes(status.get(name) or {}, f"status.{name}")
    return found


def _error_causes(error: Json, path: str) -> list[Cause]:
    found: list[Cause] = []
    if len(error.get("message", "").encode()) > _LONGEST_MESSAGE:
        found.append(field_errors.too_long(f"{path}.message", _METADATA_LIMIT_BYTES))  # as Kubernetes says
    if (code := error.get("errorCode", 0)) < 0:
        found.append(
            field_errors.invalid(f"{path}.errorCode", code, "must be between 0 and 2147483647, inclusive")
        )
    return found


def _validate_update(new: Json, old: Json) -> list[Cause]:
    return [*_validate(new), *field_errors.unchanged("spec", spec(new), spec(old))]


def _validate_status(new: Json, _old: Json) -> list[Cause]:
    return _status_causes(new.get("status") or {})


RULES: Final = Rules(
    default=_default,
    prepare=Prepare(create=_prepare_create, update=with_old_status),
    validate=Validate(create=_validate, update=_validate_update, status=_validate_status),
    unconditional_update=False,
    deletion_returns_object=True,
    status_keeps=OWN_METADATA,
    table=table.VOLUME_ATTACHMENTS,
)

"""Pods.

https://kubernetes.io/docs/concepts/workloads/pods/
The rules of the spec are in apiserver.core.podspec, shared with pod templates.
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.deletion import gracefully
from apiserver.core.podspec.annotations import (
    annotation_causes,
    annotation_update_causes,
    unenforced_annotations,
)
from apiserver.core.podspec.binding import bind, deletion_grace_s, disrupted
from apiserver.core.podspec.claimed_volumes import ephemeral_name_causes
from apiserver.core.podspec.containers import image_causes
from apiserver.core.podspec.defaults import default_pod
from apiserver.core.podspec.ephemeral import all_but, ephemeral_causes, only_ephemeral
from apiserver.core.podspec.labelkeys import merged_label_keys
from apiserver.core.podspec.resize import only_resized, resized_causes
from apiserver.core.podspec.spec import validate_spec
from apiserver.core.podspec.status import status_causes, status_to_store, with_both_addresses
from apiserver.core.podspec.unbuilt import unbuilt_in_spec
from apiserver.core.podspec.unenforced import unenforced_in_spec
from apiserver.core.podspec.update import update_causes
from apiserver.core.podspec.volumes import image_volume_causes
from apiserver.core.podspec.warnings import name_warnings, pod_warnings
from apiserver.core.rules import (
    PartUpdate,
    Prepare,
    Rules,
    Validate,
    WriteContext,
    metadata_fields,
    with_old_status,
)
from apiserver.core.table import pods as table
from apiserver.core.values import Json, metadata, spec
from machinery.model import names
from machinery.model.errors import Cause
from machinery.model.pods import qos_class_of

_ANNOTATIONS: Final = "metadata.annotations"


def _default(obj: Json) -> Json:
    default_pod(obj)
    with_both_addresses(obj["status"])
    return obj


def _unbuilt(obj: Json) -> str:
    return unbuilt_in_spec(spec(obj), "spec")


def _unenforced(obj: Json) -> tuple[str, ...]:
    annotations = metadata(obj).get("annotations") or {}
    warned = unenforced_annotations(annotations, _ANNOTATIONS) if annotations else ()
    return (*warned, *unenforced_in_spec(spec(obj), "spec"))


def _prepare_create(obj: Json, context: WriteContext) -> Json:
    """Set the first status of a new pod: it waits for a node."""
    status: Json = {"phase": "Pending"}
    if spec(obj).get("schedulingGates"):
        status["conditions"] = [_gated(context.now)]
    status["qosClass"] = _qos_class(obj)
    return {**merged_label_keys(obj), "status": status}


def _qos_class(obj: Json) -> str:
    """Return the class: of what the pod says of its resources as a whole, where it does, else of its containers."""
    own = spec(obj)
    whole = own.get("resources") or {}
    listed = [*(own.get("containers") or ()), *(own.get("initContainers") or ())]
    is_whole = whole.get("requests") or whole.get("limits")
    resources = [whole] if is_whole else [container.get("resources") or {} for container in listed]
    return qos_class_of((each.get("requests") or {}, each.get("limits") or {}) for each in resources)


def _gated(now: str) -> Json:
    return {
        "type": "PodScheduled",
        "status": "False",
        "reason": "SchedulingGated",
        "message": "Scheduling is blocked due to non-empty scheduling gates",
        "lastTransitionTime": now,
        "observedGeneration": 1,
    }


def _prepare_status(new: Json, old: Json, _context: WriteContext) -> Json:
    """Apply the status, and all of metadata except for the owners."""
    meta = {name: value for name, value in new["metadata"].items() if name != "ownerReferences"}
    if owners := old["metadata"].get("ownerReferences"):
        meta["ownerReferences"] = owners
    status = status_to_store(new.get("status") or {}, old.get("status") or {})
    return {**old, "metadata": meta, "status": status}


def _common(obj: Json) -> list[Cause]:
    own, annotations = spec(obj), metadata(obj).get("annotations") or {}
    return [
        *annotation_causes(annotations, own, _ANNOTATIONS),
        *validate_spec(own, "spec"),
        *_token_causes(own),
        *image_causes(own, "spec"),
        *image_volume_causes(own, "spec"),
        *ephemeral_name_causes(obj, "spec"),
    ]


def _token_causes(own: Json) -> list[Cause]:
    if own.get("serviceAccountName"):
        return []
    text = "must not be specified when serviceAccountName is not set"
    return [
        field_errors.forbidden(
            f"spec.volumes[{index}].projected.sources[{number}].serviceAccountToken",
            text,
        )
        for index, volume in enumerate(own.get("volumes") or [])
        for number, source in enumerate((volume.get("projected") or {}).get("sources") or [])
        if "serviceAccountToken" in source
    ]


def _validate(obj: Json) -> list[Cause]:
    own = spec(obj)
    found = _common(obj)
    if own.get("ephemeralContainers"):
        found.append(field_errors.forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if own.get("nodeName") and own.get("schedulingGates"):
        text = "cannot be set until all schedulingGates have been cleared"
        found.append(field_errors.forbidden("spec.nodeName", text))
    return found


def _validate_update(new: Json, old: Json) -> list[Cause]:
    after, before = (metadata(obj).get("annotations") or {} for obj in (new, old))
    return [
        *annotation_update_causes(after, before, _ANNOTATIONS),
        *_common(new),
        *update_causes(spec(new), spec(old)),
    ]


def _validate_ephemeral(new: Json, old: Json) -> list[Cause]:
    return [*_common(new), *ephemeral_causes(new, old)]


def _validate_resize(new: Json, old: Json) -> list[Cause]:
    before = (old.get("status") or {}).get("qosClass") or _qos_class(old)
    return [*_common(new), *resized_causes(new, old, _qos_class(new), before)]


def _warnings(new: Json, old: Json | None) -> tuple[str, ...]:
    """Return what to warn of in a new pod: changes of pods are not made by people."""
    if old is not None:
        return ()
    errors = names.dns_label_errors(metadata(new)["name"])
    return (*name_warnings(errors, "the Pod's hostname"), *pod_warnings(new))


def _fields(obj: Json) -> dict[str, str]:
    own, status = spec(obj), obj.get("status") or {}
    return {
        **metadata_fields(obj),
        "spec.hostNetwork": str(bool(own.get("hostNetwork"))).lower(),
        "spec.nodeName": own.get("nodeName", ""),
        "spec.restartPolicy": own.get("restartPolicy", ""),
        "spec.schedulerName": own.get("schedulerName", ""),
        "spec.serviceAccountName": own.get("serviceAccountName", ""),
        "status.nominatedNodeName": status.get("nominatedNodeName", ""),
        "status.phase": status.get("phase", ""),
        "status.podIP": status.get("podIP", ""),
    }


RULES: Final = Rules(
    default=_default,
    unbuilt=_unbuilt,
    unenforced=_unenforced,
    prepare=Prepare(create=_prepare_create, update=with_old_status, status=_prepare_status),
    validate=Validate(create=_validate, update=_validate_update, status=status_causes),
    fields=_fields,
    field_aliases={"spec.host": "spec.nodeName", "status.podIPs": "status.podIPs"},
    warnings=_warnings,
    counts_generation=True,
    needs_suffix=True,  # for the volume of its token
    reset={
        "": {"f:status": {}},
        "status": {"f:metadata": {"f:deletionTimestamp": {}, "f:ownerReferences": {}}, "f:spec": {}},
        "ephemeralcontainers": all_but("ephemeralContainers"),
        "resize": all_but("containers", "initContainers", "resources"),
    },
    parts={
        "ephemeralcontainers": PartUpdate(only_ephemeral, _validate_ephemeral),
        "resize": PartUpdate(only_resized, _validate_resize),
    },
    subresources={"binding": bind, "eviction": lambda pod, _eviction, now: disrupted(pod, now)},
    plan_deletion=gracefully(deletion_grace_s),
    deletion_returns_object=True,
    table=table.PODS,
)

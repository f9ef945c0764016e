"""Ephemeral containers: what they may be, and how the subresource `ephemeralcontainers` adds them to a pod.

https://kubernetes.io/docs/concepts/workloads/pods/ephemeral-containers/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.rules import WriteContext
from apiserver.core.values import Json, metadata, spec
from machinery.model.errors import Cause
from machinery.model.k8s.core_v1 import PodSpec

FIELD: Final = "ephemeralContainers"
_MIRROR: Final = "kubernetes.io/config.mirror"
_DENIED: Final = (
    "lifecycle",
    "livenessProbe",
    "ports",
    "readinessProbe",
    "resizePolicy",
    "resources",
    "restartPolicy",
    "restartPolicyRules",
    "startupProbe",
)
_NEVER: Final = "cannot be set for an Ephemeral Container"
_KEPT_METADATA: Final = ("labels", "annotations", "finalizers", "ownerReferences")


def only_ephemeral(new: Json, old: Json, _context: WriteContext) -> Json:
    """Return a pod with another list of ephemeral containers: nothing else of it can be changed this way."""
    own = {name: value for name, value in spec(old).items() if name != FIELD}
    if added := spec(new).get(FIELD):
        own[FIELD] = added
    return {**with_old_metadata(new, old), "spec": own}


def with_old_metadata(new: Json, old: Json) -> Json:
    """Return the stored pod with what a write of a part may say of its metadata: its version, and little else."""
    meta = {name: value for name, value in metadata(new).items() if name not in _KEPT_METADATA}
    before = metadata(old)
    meta |= {name: before[name] for name in _KEPT_METADATA if name in before}
    return {**old, "metadata": meta}


def all_but(*fields: str) -> Json:
    """Return the set of a pod's fields that a write of a part cannot change, which is some fields of its spec."""
    kept: Json = {f"f:{name}": {} for name in PodSpec.__struct_fields__ if name not in fields}
    return {"f:metadata": {f"f:{name}": {} for name in _KEPT_METADATA}, "f:spec": kept, "f:status": {}}


def ephemeral_causes(new: Json, old: Json) -> list[Cause]:
    """Check a change of the list: containers can only be added."""
    if _MIRROR in (metadata(old).get("annotations") or {}):
        return [field_errors.forbidden("", "static pods do not support ephemeral containers")]
    after = {each.get("name"): each for each in spec(new).get(FIELD) or []}
    found: list[Cause] = []
    for each in spec(old).get(FIELD) or []:
        name = each.get("name")
        if name not in after:
            text = f'existing ephemeral containers "{name}" may not be removed\n'
            found.append(field_errors.forbidden(f"spec.{FIELD}", text))
        elif after[name] != each:
            changed = ", ".join(
                sorted(key for key in {*each, *after[name]} if each.get(key) != after[name].get(key))
            )
            text = f'existing ephemeral containers "{name}" may not be changed\nchanged: {changed}'
            found.append(field_errors.forbidden(f"spec.{FIELD}", text))
    return found


def own_causes(container: Json, others: frozenset[str], path: str) -> list[Cause]:
    """Check what is special about one: where it goes, and what it may not have. `others` are those that it can aim at."""
    target = container.get("targetContainerName", "")
    found = (
        [field_errors.not_found(f"{path}.targetContainerName", target)]
        if target and target not in others
        else []
    )
    found += [field_errors.forbidden(f"{path}.{name}", _NEVER) for name in _DENIED if container.get(name)]
    for index, mount in enumerate(container.get("volumeMounts") or []):
        found += [
            field_errors.forbidden(f"{path}.volumeMounts[{index}].{name}", _NEVER)
            for name in ("subPath", "subPathExpr")
            if mount.get(name)
        ]
    return found

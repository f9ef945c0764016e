"""ObjectMeta: what the server sets, what a client may not change, and what it has to look like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from apiserver.core import field_errors
from apiserver.core.kind import Kind
from apiserver.core.rules import WriteContext
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import BadRequest, Cause

ANNOTATIONS_LIMIT_BYTES: Final = 256 * 1024
_SERVER_SET: Final = (
    "selfLink",
    "resourceVersion",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
_NOT_CARRIED: Final = frozenset({*_SERVER_SET, "generation"})
_KEPT: Final = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")
_STANDARD_FINALIZERS: Final = frozenset({"kubernetes", "orphan", "foregroundDeletion"})

MayOwn: TypeAlias = Callable[[str, str], bool]
"""Whether objects of an apiVersion and kind may own others (`Catalogue.may_own`)."""


def everything_owns(_api_version: str, _kind: str) -> bool:
    """Accept owners of every kind."""
    return True


def stamp_created(kind: Kind, obj: Json, context: WriteContext) -> Json:
    """Set the identity of a new object: name, uid, time of creation, first generation.

    Raises:
        BadRequest: the object carries a resourceVersion.
    """
    meta = obj.get("metadata") or {}
    if meta.get("resourceVersion"):
        raise BadRequest("resourceVersion should not be set on objects to be created")
    stamped = {key: value for key, value in meta.items() if key not in _NOT_CARRIED}
    if not stamped.get("name") and stamped.get("generateName"):
        longest = names.LABEL_LENGTH - len(context.suffix)
        stamped["name"] = stamped["generateName"][:longest] + context.suffix
    if not kind.namespaced:
        stamped.pop("namespace", None)
    stamped["uid"] = context.uid
    stamped["creationTimestamp"] = context.now
    if kind.rules.counts_generation:
        stamped["generation"] = 1
    return {**obj, "metadata": stamped}


def stamp_updated(kind: Kind, new: Json, old: Json) -> Json:
    """Carry over what only the server sets; a change that the kind counts is the next generation."""
    stamped = carry_over(new, old)
    if kind.rules.counts_generation and kind.rules.is_next_generation(new, old):
        stamped["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
    return stamped


def carry_over(new: Json, old: Json) -> Json:
    """Carry over what only the server sets."""
    meta, before = new.get("metadata") or {}, old["metadata"]
    stamped = {key: value for key, value in meta.items() if key not in _NOT_CARRIED}
    for key in _KEPT:
        if key in before and not (key in {"uid", "creationTimestamp"} and stamped.get(key)):
            stamped[key] = before[key]
    return {**new, "metadata": stamped}


def validate_created(kind: Kind, obj: Json, may_own: MayOwn = everything_owns) -> list[Cause]:
    """Find what is wrong with the metadata of a new object."""
    meta = obj["metadata"]
    return [
        *_name_causes(kind, meta),
        *_namespace_causes(kind, meta),
        *validate_common(meta, "metadata", may_own, any_finalizer=kind.rules.any_finalizer),
    ]


def validate_updated(kind: Kind, new: Json, old: Json, may_own: MayOwn = everything_owns) -> list[Cause]:
    """Find what is wrong with the metadata of a changed object."""
    meta, before = new["metadata"], old["metadata"]
    found = validate_common(meta, "metadata", may_own, any_finalizer=kind.rules.any_finalizer)
    for name in ("name", "namespace", "uid", "creationTimestamp"):
        found += field_errors.unchanged(f"metadata.{name}", meta.get(name, ""), before.get(name, ""))
    return [*found, *_added_finalizers(meta, before)]


def validate_common(
    meta: Mapping[str, Any], path: str, may_own: MayOwn = everything_owns, *, any_finalizer: bool = False
) -> list[Cause]:
    """Find what is wrong with labels, annotations, owners and finalizers.

    `any_finalizer` says that finalizers without a prefix need not be those of Kubernetes.
    """
    return [
        *validate_labels(meta.get("labels") or {}, f"{path}.labels"),
        *validate_annotations(meta.get("annotations") or {}, f"{path}.annotations"),
        *_owner_causes(meta.get("ownerReferences") or [], f"{path}.ownerReferences", may_own),
        *_finalizer_causes(meta.get("finalizers") or [], f"{path}.finalizers", any_finalizer=any_finalizer),
    ]


def drop_repeated_owners(meta: Json) -> list[str]:
    """Drop owners that are named twice in the same words, in place; returns the uids of those."""
    owners = meta.get("ownerReferences")
    if not owners or len(owners) < 2:
        return []
    kept: dict[str, list[Json]] = {}
    dropped: list[str] = []
    result: list[Json] = []
    for owner in owners:
        same = kept.setdefault(owner.get("uid", ""), [])
        if owner in same:
            dropped.append(owner.get("uid", ""))
            continue
        same.append(owner)
        result.append(owner)
    if dropped:
        meta["ownerReferences"] = result
    return dropped


def validate_labels(labels: Mapping[str, str], path: str) -> list[Cause]:
    """Find what is not a label."""
    found: list[Cause] = []
    for key, value in labels.items():
        found += field_errors.each_invalid(path, key, names.label_key_errors(key))
        found += field_errors.each_invalid(path, value, names.label_value_errors(value))
    return found


def validate_annotations(annotations: Mapping[str, str], path: str) -> list[Cause]:
    """Find keys that are not an annotation's, and annotations that are too large in all."""
    found: list[Cause] = []
    size = 0
    for key, value in annotations.items():
        found += field_errors.each_invalid(path, key, names.label_key_errors(key.lower()))
        size += len(key.encode()) + len(value.encode())
    if size > ANNOTATIONS_LIMIT_BYTES:
        found.append(field_errors.too_long(path, ANNOTATIONS_LIMIT_BYTES))
    return found


def _name_causes(kind: Kind, meta: Json) -> list[Cause]:
    found = []
    if prefix := meta.get("generateName"):
        # A prefix may end in what a name may not end in: what follows it is alphanumeric.
        found += field_errors.each_invalid(
            "metadata.generateName", prefix, kind.rules.name_errors(_as_name(prefix, kind.rules.name_errors))
        )
    if name := meta.get("name"):
        return [*found, *field_errors.each_invalid("metadata.name", name, kind.rules.name_errors(name))]
    return [*found, field_errors.required("metadata.name", "name or generateName is required")]


def _as_name(prefix: str, name_errors: Callable[[str], list[str]]) -> str:
    return f"{prefix[:-1]}a" if prefix.endswith("-") and name_errors(prefix) else prefix


def _namespace_causes(kind: Kind, meta: Json) -> list[Cause]:
    namespace = meta.get("namespace", "")
    if not kind.namespaced:
        return []
    if not namespace:
        return [field_errors.required("metadata.namespace")]
    return field_errors.each_invalid("metadata.namespace", namespace, names.dns_label_errors(namespace))


def _owner_causes(owners: list[Json], path: str, may_own: MayOwn) -> list[Cause]:
    found: list[Cause] = []
    controllers = [owner for owner in owners if owner.get("controller")]
    for index, owner in enumerate(owners):
        for name, text in (("apiVersion", "version must not be empty"), ("kind", "must not be empty"),
                           ("name", "must not be empty"), ("uid", "must not be empty")):  # fmt: skip
            if not owner.get(name):
                found.append(field_errors.invalid(f"{path}[{index}].{name}", owner.get(name, ""), text))
        version, kind = owner.get("apiVersion", ""), owner.get("kind", "")
        if not may_own(version, kind):
            named = f"{version if '/' in version else f'/{version}'}, Kind={kind}"
            text = f"{named} is disallowed from being an owner"
            found.append(field_errors.invalid(f"{path}[{index}]", owner, text))
    if len(controllers) > 1:
        first, second = (owner.get("name", "") for owner in controllers[:2])
        text = f'Only one reference can have Controller set to true. Found "true" in references for {first} and {second}'
        found.append(field_errors.invalid(path, owners, text))
    return found


def finalizer_name_causes(name: str, path: str, *, any_finalizer: bool = False) -> list[Cause]:
    """Find what is wrong with the name of a finalizer."""
    errors = names.label_key_errors(name)
    if not errors and not any_finalizer and "/" not in name and name not in _STANDARD_FINALIZERS:
        errors = ["name is neither a standard finalizer name nor is it fully qualified"]
    return field_errors.each_invalid(path, name, errors)


def _finalizer_causes(finalizers: list[str], path: str, *, any_finalizer: bool) -> list[Cause]:
    found = [
        cause
        for finalizer in finalizers
        for cause in finalizer_name_causes(finalizer, path, any_finalizer=any_finalizer)
    ]
    if {"orphan", "foregroundDeletion"} <= set(finalizers):
        text = "finalizer orphan and foregroundDeletion cannot be both set"
        found.append(field_errors.invalid(path, finalizers, text))
    return found


def _added_finalizers(meta: Json, before: Json) -> list[Cause]:
    if not before.get("deletionTimestamp"):
        return []
    known = set(before.get("finalizers") or [])
    added = sorted(name for name in meta.get("finalizers") or [] if name not in known)
    if not added:
        return []
    text = "no new finalizers can be added if the object is being deleted, found new finalizers "
    return [
        field_errors.forbidden(
            "metadata.finalizers", text + "[]string{" + ", ".join(f'"{name}"' for name in added) + "}"
        )
    ]

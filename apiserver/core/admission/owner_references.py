"""OwnerReferencesPermissionEnforcement: who makes an object another's dependent could delete it; not on by default.

https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#ownerreferencespermissionenforcement
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from apiserver.core.admission.attributes import Attributes, Demand, Permission, Plugin
from apiserver.core.values import Json, metadata

_NOT_DELETABLE: Final = "cannot set an ownerRef on a resource you can't delete: , <nil>"
_NOT_FINALIZABLE: Final = "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: , <nil>"


def _owners(obj: Json | None) -> list[Json]:
    return metadata(obj or {}).get("ownerReferences") or []


def _demands(attributes: Attributes, obj: Json, old: Json | None) -> Iterator[Demand]:
    if (attributes.resource, attributes.subresource) == (("", "pods"), "status"):
        return
    new, before = _owners(obj), _owners(old)
    if new == before:
        return
    group, plural = attributes.resource
    subresource, namespace = attributes.subresource, attributes.namespace
    name = attributes.name or ("" if old is None else str(metadata(old).get("name", "")))
    yield Demand((Permission("delete", group, plural, subresource, namespace, name),), _NOT_DELETABLE)
    blocking_before = {owner.get("uid") for owner in before if owner.get("blockOwnerDeletion")}
    for owner in new:
        if owner.get("blockOwnerDeletion") and owner.get("uid") not in blocking_before:
            type_ = owner.get("apiVersion", ""), owner.get("kind", "")
            finalizing = Permission(
                "update", "", "", "finalizers", namespace, owner.get("name", ""), of_type=type_
            )
            yield Demand((finalizing,), _NOT_FINALIZABLE)


OWNER_REFERENCES: Final = Plugin("OwnerReferencesPermissionEnforcement", demands=_demands)

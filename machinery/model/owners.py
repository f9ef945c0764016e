"""Who owns an object: https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/."""

from __future__ import annotations

from machinery.model.k8s.meta_v1 import ObjectMeta, OwnerReference
from machinery.model.resources import KubeObject


def controller_of(meta: ObjectMeta) -> OwnerReference | None:
    """Return the owner that manages the object; there is at most one."""
    return next((owner for owner in meta.ownerReferences if owner.controller), None)


def is_controlled_by(meta: ObjectMeta, owner: KubeObject) -> bool:
    """Whether this very owner (by uid) manages the object."""
    controller = controller_of(meta)
    return controller is not None and controller.uid == owner.metadata.uid


def owner_reference(obj: KubeObject) -> OwnerReference:
    """Return the reference by which `obj` becomes the managing owner of another object."""
    return OwnerReference(
        apiVersion=obj.apiVersion,
        kind=obj.kind,
        name=obj.metadata.name,
        uid=obj.metadata.uid,
        controller=True,
        blockOwnerDeletion=True,
    )

"""Words of storage that the apiserver, the controllers and the scheduler share.

https://kubernetes.io/docs/reference/labels-annotations-taints/ lists the annotations.
"""

from __future__ import annotations

from typing import Final

CLAIM_PROTECTION: Final = "kubernetes.io/pvc-protection"
"""The finalizer of a PersistentVolumeClaim that pods may use."""

VOLUME_PROTECTION: Final = "kubernetes.io/pv-protection"
ATTRIBUTES_PROTECTION: Final = "kubernetes.io/vac-protection"
"""The finalizer of a PersistentVolume that may be bound."""

DELETION_PROTECTION: Final = "external-provisioner.volume.kubernetes.io/finalizer"
"""The finalizer of a PersistentVolume whose storage is deleted before it: by its provisioner."""

BIND_COMPLETED: Final = "pv.kubernetes.io/bind-completed"
"""The annotation of a claim whose binding has been carried out, whatever its value."""

BOUND_BY_CONTROLLER: Final = "pv.kubernetes.io/bound-by-controller"
"""The annotation of a claim or volume that was bound by a component, not by its author; whatever its value."""

PROVISIONED_BY: Final = "pv.kubernetes.io/provisioned-by"
"""The annotation of a volume that was made for a claim: by which provisioner."""

STORAGE_PROVISIONER: Final = "volume.kubernetes.io/storage-provisioner"
"""The annotation of a claim that waits for a new volume: from which provisioner."""

BETA_STORAGE_PROVISIONER: Final = "volume.beta.kubernetes.io/storage-provisioner"
"""The same by its old name, which provisioners may still read."""

SELECTED_NODE: Final = "volume.kubernetes.io/selected-node"
"""The annotation of a claim whose first pod has been given a node: its name."""

OLD_CLASS: Final = "volume.beta.kubernetes.io/storage-class"
"""The annotation that names the class of a claim or a volume from before there was a field; it counts before the field."""

IS_DEFAULT_CLASS: Final = "storageclass.kubernetes.io/is-default-class"
"""The annotation of a StorageClass that claims without any get."""

OLD_IS_DEFAULT_CLASS: Final = "storageclass.beta.kubernetes.io/is-default-class"
"""The same by its old name."""

WAIT_FOR_FIRST_CONSUMER: Final = "WaitForFirstConsumer"
"""The volumeBindingMode of a class whose claims are bound when a pod that uses them is given a node."""

NO_PROVISIONER: Final = "kubernetes.io/no-provisioner"
"""The provisioner of a class whose volumes are made by people only."""

NODE_FOLDERS: Final = "node-folders.kubarium.dev"
"""The provisioner whose volumes are folders of a node."""


FOLDER_OF_NODE: Final = "node-folders.kubarium.dev/node"
"""The annotation of a volume that is a folder: of which node."""


def ephemeral_claim(pod_name: str, volume_name: str) -> str:
    """Return the name of the claim that is made for a generic ephemeral volume of a pod."""
    return f"{pod_name}-{volume_name}"

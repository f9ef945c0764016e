"""Attaching and detaching the volumes of CSI drivers: which node is to have which volume, as VolumeAttachments say it.

controller   what it watches, which node a change concerns, how long a volume has been wanted no more
plan         what is to be attached, what is attached, what is to be detached
attachable   which volumes are attached at all, and what their attachments are called

A driver's own attacher does the work and says in the VolumeAttachment what came of it. A node's kubelet mounts what its Node
object lists as attached, and lists what is in use: that is not detached, except from a node that is lost.

https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/volume-attachment-v1/

Differs: A pod that is being deleted counts as a user of its volumes until it is gone; Kubernetes' until its
containers have ended.
"""

from controllers.attachdetach.controller import build

__all__ = ["build"]

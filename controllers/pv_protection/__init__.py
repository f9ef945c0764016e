"""The protection of PersistentVolumes: one that is deleted stays until no claim is bound to it.

controller  what it watches: volumes
plan        whether the finalizer goes

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection
"""

from controllers.pv_protection.controller import build

__all__ = ["build"]

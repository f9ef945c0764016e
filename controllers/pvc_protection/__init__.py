"""The protection of PersistentVolumeClaims: one that is deleted stays until no pod uses it.

controller  what it watches: claims, and pods that go
plan        whether the finalizer goes

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection
"""

from controllers.pvc_protection.controller import build

__all__ = ["build"]

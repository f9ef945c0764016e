"""The protection of VolumeAttributesClasses: one that is deleted stays until no claim and no volume has it.

controller  what it watches: classes, and the claims and volumes that stop having one
plan        whether the finalizer goes

https://kubernetes.io/docs/concepts/storage/volume-attributes-classes/
"""

from controllers.vac_protection.controller import build

__all__ = ["build"]

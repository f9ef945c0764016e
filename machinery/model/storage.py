"""Words of storage that the apiserver and its controllers share."""

from __future__ import annotations

from typing import Final

CLAIM_PROTECTION: Final = "kubernetes.io/pvc-protection"
"""The finalizer of a PersistentVolumeClaim that pods may use."""

VOLUME_PROTECTION: Final = "kubernetes.io/pv-protection"
"""The finalizer of a PersistentVolume that may be bound."""

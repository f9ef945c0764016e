"""The volumes of the node's pods, one file per kind."""

from __future__ import annotations

from kubelet.volumes.problem import VolumeProblem
from kubelet.volumes.volumes import Volumes

__all__ = ["VolumeProblem", "Volumes"]

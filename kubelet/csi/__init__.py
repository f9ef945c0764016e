"""CSI drivers on this node, and the volumes of pods that are theirs.

`drivers` takes those that register, `node_info` tells the cluster of them, `driver` asks one, `volumes` stages, publishes and
undoes.
"""

from __future__ import annotations

from kubelet.csi.drivers import CsiDrivers
from kubelet.csi.volumes import CsiVolumes

__all__ = ["CsiDrivers", "CsiVolumes"]

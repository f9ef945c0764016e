"""Devices of pods: dynamic resource allocation on the node.

`drivers` takes the drivers that register and asks them; `records` keeps on disk which claims they were asked to prepare; `claims`
has the claims of a pod prepared before its sandbox is made, and put away when the pod has gone.
"""

from __future__ import annotations

from kubelet.devices.claims import DeviceClaims, DeviceProblem
from kubelet.devices.drivers import Drivers

__all__ = ["DeviceClaims", "DeviceProblem", "Drivers"]

"""ImageLocality: a node that has the pod's images already is the better one, the larger they are.

An image counts with its size times the share of the nodes that have it, so that one node does not draw all pods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

NAME: Final = "ImageLocality"
_LEAST_BYTES: Final = 23 * 1024 * 1024
_MOST_BYTES: Final = 1000 * 1024 * 1024  # for each container


def locality(images: Sequence[str], sizes: Mapping[str, int], shares: Mapping[str, float]) -> int:
    """Return 0 to 100 for a node with images of these sizes; `shares` of all nodes have them."""
    total = sum(int(sizes[image] * shares.get(image, 0.0)) for image in images if image in sizes)
    most = _MOST_BYTES * len(images)
    bounded = min(max(total, _LEAST_BYTES), most)
    return 100 * (bounded - _LEAST_BYTES) // (most - _LEAST_BYTES) if images else 0

"""ImageLocality: a node that has the pod's images already is the better one, the larger they are.

An image counts with its size times the share of the nodes that have it, so that one node does not draw all pods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from scheduler.core.framework import Plugin, Score, Sees
from scheduler.core.node import NodeInfo
from scheduler.core.pod import PodInfo
from scheduler.core.snapshot import Snapshot

NAME: Final = "ImageLocality"
_KEPT: Final = (
    256  # ratings, by the sizes of the images: nodes that have an image have the same one as a rule
)
_LEAST_BYTES: Final = 23 * 1024 * 1024
_MOST_BYTES: Final = 1000 * 1024 * 1024  # for each container


def locality(images: Sequence[str], sizes: Mapping[str, int], shares: Mapping[str, float]) -> int:
    """Return 0 to 100 for a node with images of these sizes; `shares` of all nodes have them."""
    total = sum(int(sizes[image] * shares.get(image, 0.0)) for image in images if image in sizes)
    most = _MOST_BYTES * len(images)
    bounded = min(max(total, _LEAST_BYTES), most)
    return 100 * (bounded - _LEAST_BYTES) // (most - _LEAST_BYTES) if images else 0


class ImageLocality(Plugin):
    """Prefers nodes that have the images."""

    name = NAME

    def need(self, pod: PodInfo, snapshot: Snapshot) -> tuple[str, ...] | None:
        """Return the images."""
        del snapshot
        return pod.needs.images or None

    def score(self, need: tuple[str, ...], snapshot: Snapshot) -> Score:
        """Return the score, for the nodes that have each image by now."""
        images = _Images(need, snapshot)
        return Score(images.rate, Sees.NODE, renew=images.renew)


class _Images:
    """Which share of the nodes has each image, and how nodes are rated by that.

    A share changes with every node that pulls the image, a rating at most a hundred times in all: nodes are rated anew then.
    """

    def __init__(self, names: tuple[str, ...], snapshot: Snapshot) -> None:
        self._names = names
        self._snapshot = snapshot
        self._version = -1
        self._shares: dict[str, float] = {}
        self._ratings: dict[tuple[int, ...], int] = {}  # of nodes, by the sizes of the images there

    def rate(self, node: NodeInfo) -> int:
        sizes = tuple([node.images.get(name, 0) for name in self._names])
        rating = self._ratings.get(sizes)
        if rating is None:
            rating = self._ratings[sizes] = self._rated(sizes)
        return rating

    def _rated(self, sizes: tuple[int, ...]) -> int:
        return locality(self._names, dict(zip(self._names, sizes, strict=True)), self._shares)

    def renew(self) -> bool:
        snapshot = self._snapshot
        if self._version == snapshot.images_version:
            return False
        self._version = snapshot.images_version
        have, total = snapshot.image_nodes, snapshot.node_count or 1
        self._shares = {each: have[each] / total for each in self._names if each in have}
        before = self._ratings
        self._ratings = {sizes: self._rated(sizes) for sizes in before} if len(before) <= _KEPT else {}
        return self._ratings != before

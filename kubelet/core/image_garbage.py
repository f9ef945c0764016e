"""Which images nobody uses, and which of them go: those that have not been used for longest first.

https://kubernetes.io/docs/concepts/architecture/garbage-collection/#containers-images
Fed by the shell (kubelet/image_garbage.py) with what the runtime has and what the node's pods use. What the runtime calls pinned
never goes. All times are monotonic cluster seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import inf
from typing import Final, NamedTuple

from kubelet.core.eviction.thresholds import Observed
from kubelet.core.images import with_default_tag
from kubelet.core.life import Life, Stage
from machinery.pb import cri_pb2 as cri

NEVER: Final = -inf
ALWAYS_FULL: Final = 100  # as the high threshold: no disk is too full


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """When images are removed that nobody uses.

    Raises:
        ValueError: the numbers do not go together; the text says why.
    """

    high_percent: int = 85  # of the disk in use: then images go,
    low_percent: int = 80  # until it is only so full
    least_age_s: float = 120.0  # since an image was seen first: it may be about to be used
    most_age_s: float = 0.0  # since an image was used last, whatever the disk is like; 0: none goes for that

    def __post_init__(self) -> None:
        """Check the numbers, as KubeletConfiguration's are."""
        for name, percent in (("high", self.high_percent), ("low", self.low_percent)):
            if not 0 <= percent <= 100:
                raise ValueError(
                    f"the {name} threshold has to be between 0 and 100, inclusive, not {percent}"
                )
        if self.low_percent >= self.high_percent:
            raise ValueError(
                f"the low threshold ({self.low_percent}) has to be less than the high threshold ({self.high_percent})"
            )
        if self.least_age_s < 0 or self.most_age_s < 0:
            raise ValueError("an age may not be below 0")
        if 0 < self.most_age_s <= self.least_age_s:
            raise ValueError(
                f"the maximum age ({self.most_age_s:g}) has to be greater than the minimum age ({self.least_age_s:g})"
            )

    @property
    def follows_disk(self) -> bool:
        """Whether images go because the disk is full."""
        return self.high_percent < ALWAYS_FULL

    @property
    def is_on(self) -> bool:
        """Whether images go by themselves at all."""
        return self.follows_disk or self.most_age_s > 0


class ImageUse(NamedTuple):
    """What is known of one image."""

    seen_s: float  # first; NEVER: it was here before this kubelet
    used_s: float = NEVER  # last


def images_in_use(lives: Iterable[Life]) -> set[str]:
    """Return the names and ids of the images that pods use, have used as long as a container of it is left, or will use."""
    used: set[str] = set()
    for life in lives:
        for run in life.observed.containers:
            used |= {run.image, run.image_id}
        if life.stage is Stage.SYNCING:
            spec = life.pod.spec
            used |= {_tagged(each.image) for each in (*spec.initContainers, *spec.containers)}
            used |= {_tagged(each.image) for each in spec.ephemeralContainers}
            used |= {_tagged(volume.image.reference) for volume in spec.volumes if volume.image}
    return used - {""}


def note_use(
    known: Mapping[str, ImageUse],
    images: Iterable[cri.Image],
    used: AbstractSet[str],
    now_s: float,
    *,
    is_first: bool,
) -> dict[str, ImageUse]:
    """Return what is known after a look, by id; of images that are gone nothing. `is_first`: there was none before it."""
    found: dict[str, ImageUse] = {}
    for image in images:
        use = known.get(image.id) or ImageUse(NEVER if is_first else now_s)
        is_used = not used.isdisjoint((image.id, *image.repo_tags, *image.repo_digests))
        found[image.id] = use._replace(used_s=now_s) if is_used else use
    return found


def unused(images: Iterable[cri.Image], uses: Mapping[str, ImageUse], now_s: float) -> list[cri.Image]:
    """Return the images that may go, after a look at `now_s`: the least recently used first."""
    free = (each for each in images if not each.pinned and uses[each.id].used_s < now_s)
    return sorted(free, key=lambda each: (uses[each.id].used_s, uses[each.id].seen_s, each.id))


def too_old(
    candidates: Sequence[cri.Image],
    uses: Mapping[str, ImageUse],
    limits: ImageLimits,
    now_s: float,
    began_s: float,
) -> list[cri.Image]:
    """Return the images that nobody has used for too long. What was before this kubelet (`began_s`) nobody knows."""
    if not limits.most_age_s:
        return []
    idle_s = {each.id: now_s - max(*uses[each.id], began_s) for each in candidates}
    return [each for each in candidates if idle_s[each.id] > limits.most_age_s]


def old_enough(
    candidates: Iterable[cri.Image], uses: Mapping[str, ImageUse], limits: ImageLimits, now_s: float
) -> list[cri.Image]:
    """Return the images that may go for their room: not those that may have come for a pod that is about to start."""
    return [each for each in candidates if now_s - uses[each.id].seen_s >= limits.least_age_s]


def used_percent(disk: Observed) -> int:
    """Return how full a disk is, rounded up."""
    return 100 - min(disk.available, disk.capacity) * 100 // disk.capacity


def bytes_to_free(disk: Observed, limits: ImageLimits) -> int:
    """Return how much has to go; 0 while the disk is not too full."""
    if used_percent(disk) < limits.high_percent:
        return 0
    return disk.capacity * (100 - limits.low_percent) // 100 - min(disk.available, disk.capacity)


def _tagged(image: str) -> str:
    try:
        return with_default_tag(image)
    except ValueError:  # no image has such a name
        return ""

"""Removes images that nobody uses: those that are too old, and where the disk is too full as many as it takes.

Fed by the runtime and by the lives of the node's pods; decides by `kubelet/core/image_garbage.py`. A runtime that is shared says of
the images that are not this node's own that they are pinned: they are left alone (dockershim/pulled_images.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Final, Protocol

from kubelet.containment import contained
from kubelet.core.eviction.thresholds import Observed
from kubelet.core.image_garbage import (
    ImageLimits,
    ImageUse,
    bytes_to_free,
    images_in_use,
    note_use,
    old_enough,
    too_old,
    unused,
    used_percent,
)
from kubelet.core.life import Life
from machinery.client.events import WARNING, EventRecorder
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, Conflict, InternalError
from machinery.model.k8s.core_v1 import Node
from machinery.model.log import EventLog
from machinery.pb import cri_pb2 as cri
from machinery.process.metrics import described, sample

_PERIOD_S: Final = 300.0  # cluster seconds between two looks, but at least:
_LEAST_WALL_S: Final = 1.0
_AGE, _SPACE = "age", "space"  # why an image went, as the metric says it
_ALL: Final = 2**63 - 1  # more bytes than there are


class GarbageRuntime(Protocol):
    """What this needs of the CRI client."""

    async def list_images(self) -> Sequence[cri.Image]:
        """List the images on the node."""
        ...

    async def remove_image(self, image_id: str) -> None:
        """Remove an image with all its names."""
        ...


class ImageGarbage:
    """The collector of one node's images."""

    def __init__(
        self,
        runtime: GarbageRuntime,
        lives: Callable[[], Iterable[Life]],
        disk: Callable[[], Awaitable[Observed | None]],
        events: EventRecorder,
        clock: Clock,
        log: EventLog,
        *,
        limits: ImageLimits,
        node: Callable[[], Node | None],
    ) -> None:
        self._runtime = runtime
        self._lives = lives
        self._disk = disk  # the one that the images lie on; None where nobody can tell
        self._events = events
        self._clock = clock
        self._log = log
        self._limits = limits
        self._node = node
        self._began_s = clock.monotonic()
        self._uses: dict[str, ImageUse] | None = None  # by id; None before the first look
        self._removed: Counter[str] = Counter()  # by the reason
        self._has_failed = False

    def lines(self) -> Iterator[str]:
        """Yield how many images went, and why, as Prometheus reads it."""
        name = "kubelet_image_garbage_collected_total"
        yield from described(
            name,
            "Total number of images garbage collected by the kubelet, whether through disk usage or image age.",
            "counter",
        )
        for reason, number in sorted(self._removed.items()):
            yield sample(name, ("reason",), (reason,), number)

    async def run(self) -> None:
        """Collect again and again until cancelled. Images are watched also where none goes by itself."""
        self._began_s = self._clock.monotonic()
        while True:
            with contained(self._log, "images_not_collected"):
                await self._look()
            await self._clock.sleep(max(_PERIOD_S, self._clock.timescale.cluster(_LEAST_WALL_S)))

    async def collect(self) -> None:
        """Remove what is too old, then what takes too much room.

        Raises:
            ApiError: the runtime does not answer, or not enough could be removed.
        """
        now_s, candidates = await self._candidates()
        uses = self._uses or {}
        old = too_old(candidates, uses, self._limits, now_s, self._began_s)
        removed = await self._remove(old, _AGE)
        if self._limits.follows_disk:
            await self._make_room([each for each in candidates if each.id not in removed], uses, now_s)

    async def remove_unused(self) -> None:
        """Remove all images that nobody uses: the node needs their room.

        Raises:
            ApiError: the runtime does not answer, or does not remove one of them.
        """
        now_s, candidates = await self._candidates()
        await self._remove(old_enough(candidates, self._uses or {}, self._limits, now_s), _SPACE)

    async def _look(self) -> None:
        if not self._limits.is_on:
            await self._candidates()
            return
        try:
            await self.collect()
        except ApiError as error:
            self._log.warning("image_garbage_collection_failed", error=error)
            if self._has_failed:  # once may be chance
                self._tell("ImageGCFailed", error.message)
            self._has_failed = True
        else:
            self._has_failed = False

    async def _candidates(self) -> tuple[float, list[cri.Image]]:
        """Look at the images; return when, and those that nobody uses."""
        images = await self._runtime.list_images()
        now_s, used = self._clock.monotonic(), images_in_use(self._lives())
        self._uses = note_use(self._uses or {}, images, used, now_s, is_first=self._uses is None)
        return now_s, unused(images, self._uses, now_s)

    async def _make_room(
        self, candidates: Sequence[cri.Image], uses: dict[str, ImageUse], now_s: float
    ) -> None:
        if (disk := await self._disk()) is None:
            return
        if not disk.capacity:
            text = "invalid capacity 0 on image filesystem"
            self._tell("InvalidDiskCapacity", text)
            raise InternalError(text)
        if (wanted := bytes_to_free(disk, self._limits)) <= 0:
            return
        self._log.info("image_disk_too_full", used_percent=used_percent(disk), bytes_to_free=wanted)
        going = old_enough(candidates, uses, self._limits, now_s)
        removed = await self._remove(going, _SPACE, wanted)
        if (freed := sum(removed.values())) < wanted:
            text = (
                f"Failed to garbage collect required amount of images. Attempted to free {wanted} bytes, "
                f"but only found {freed} bytes eligible to free."
            )
            self._tell("FreeDiskSpaceFailed", text)
            raise InternalError(text)

    async def _remove(self, images: Iterable[cri.Image], reason: str, wanted: int = _ALL) -> dict[str, int]:
        """Remove images until there is so much room; return the sizes of those that are gone, by id.

        Raises:
            ApiError: the runtime does not remove one of them, which somebody may be using beside this node's pods.
        """
        removed: dict[str, int] = {}
        failures: list[ApiError] = []
        for image in images:
            if sum(removed.values()) >= wanted:
                break
            try:
                await self._runtime.remove_image(image.id)
            except Conflict as error:  # a container that is not this node's uses it
                self._log.info("image_in_use", image=image.id, error=error)
                continue
            except ApiError as error:
                failures.append(error)
                continue
            self._log.info("image_removed", image=image.id, names=" ".join(image.repo_tags), bytes=image.size)
            self._removed[reason] += 1
            removed[image.id] = image.size
        if failures:
            texts = ", ".join(dict.fromkeys(each.message for each in failures))
            text = f"wanted to free {wanted} bytes, but freed {sum(removed.values())} bytes space with errors in image"
            raise InternalError(f"{text} deletion: {texts}")
        return removed

    def _tell(self, reason: str, message: str) -> None:
        if (node := self._node()) is not None:
            self._events.record(node, WARNING, reason, message)

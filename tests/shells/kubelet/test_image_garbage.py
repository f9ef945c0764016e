"""How a kubelet goes about its images on a disk that is too full, and what it says where it cannot make room."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pytest

from kubelet.core.eviction.thresholds import Observed
from kubelet.core.image_garbage import ImageLimits
from kubelet.core.life import Life
from kubelet.core.observed import ObservedPod
from kubelet.image_garbage import ImageGarbage
from machinery.client.events import EventRecorder
from machinery.model.errors import ApiError, Conflict, Unavailable
from machinery.model.log import SILENT
from machinery.pb import cri_pb2 as cri
from tests.support.builders import container, node, pod
from tests.support.kubelet_node import KeptEvents
from tests.support.virtual_clock import VirtualClock

FULL = "Failed to garbage collect required amount of images. Attempted to free {} bytes, but only found {} bytes eligible to free."


class _Machine:
    """A runtime with images of 100 bytes, on a disk of 1000 that holds them and `other` bytes."""

    def __init__(self, *names: str, other: int = 0) -> None:
        self.images = {f"sha256:{name}": name for name in names}
        self.other = other
        self.refusals: dict[str, ApiError] = {}  # by name
        self.capacity = 1000

    async def list_images(self) -> list[cri.Image]:
        return [
            cri.Image(id=id_, repo_tags=[f"{name}:1"], size=100, pinned=name == "pinned")
            for id_, name in self.images.items()
        ]

    async def remove_image(self, image_id: str) -> None:
        if error := self.refusals.get(self.images[image_id]):
            raise error
        del self.images[image_id]

    async def disk(self) -> Observed:
        return Observed(max(0, self.capacity - self.other - 100 * len(self.images)), self.capacity)

    def lives(self) -> Iterator[Life]:
        made = pod("web", containers=[container(image="used:1")])
        yield Life(made, ObservedPod(made.metadata.uid), 0.0)

    @property
    def names(self) -> set[str]:
        return set(self.images.values())


@contextmanager
def _collected(
    machine: _Machine, clock: VirtualClock, events: KeptEvents, **limits: float
) -> Iterator[ImageGarbage]:
    garbage = ImageGarbage(
        machine,
        machine.lives,
        machine.disk,
        cast("EventRecorder", events),
        clock,
        SILENT,
        limits=ImageLimits(**{"high_percent": 80, "low_percent": 60, "least_age_s": 0.0, **limits}),  # type: ignore[arg-type]
        node=lambda: node("n"),
    )
    running = asyncio.ensure_future(garbage.run())
    try:
        yield garbage
    finally:
        running.cancel()


async def test_images_go_until_the_disk_is_as_full_as_the_low_threshold_says():
    """None while it is below the high one; neither the one in use nor the pinned one."""
    clock, events, machine = (
        VirtualClock(),
        KeptEvents(),
        _Machine("used", "pinned", "a", "b", "c", other=200),
    )
    with _collected(machine, clock, events) as garbage:
        await clock.advance(1.0)
        assert machine.names == {"used", "pinned", "a", "b", "c"}
        machine.other = 300
        await clock.advance(300.0)
        assert machine.names == {"used", "pinned", "c"}
        assert 'kubelet_image_garbage_collected_total{reason="space"} 2' in list(garbage.lines())
        assert events.reasons == []


async def test_what_cannot_be_made_free_is_told_as_an_event_each_time_and_a_failure_the_second_time():
    """What a container of somebody else uses is left alone."""
    clock, events, machine = VirtualClock(), KeptEvents(), _Machine("used", "a", "theirs", other=600)
    machine.refusals["theirs"] = Conflict("a container uses it")
    with _collected(machine, clock, events):
        await clock.advance(1.0)
        assert machine.names == {"used", "theirs"}
        assert list(zip(events.reasons, events.messages, strict=True)) == [
            ("FreeDiskSpaceFailed", FULL.format(300, 100))
        ]
        await clock.advance(300.0)
        assert list(zip(events.reasons, events.messages, strict=True))[1:] == [
            ("FreeDiskSpaceFailed", FULL.format(200, 0)),
            ("ImageGCFailed", FULL.format(200, 0)),
        ]


async def test_a_disk_without_a_size_and_a_runtime_that_fails_are_told():
    """Once may be chance; a success in between makes the next failure the first again."""
    clock, events, machine = VirtualClock(), KeptEvents(), _Machine("used", "a")
    machine.capacity = 0
    with _collected(machine, clock, events):
        await clock.advance(1.0)
        assert events.reasons == ["InvalidDiskCapacity"]
        machine.capacity = 1000
        await clock.advance(300.0)
        machine.other, machine.refusals["a"] = 800, Unavailable("broken")
        await clock.advance(300.0)
        assert events.reasons == ["InvalidDiskCapacity"]
        await clock.advance(300.0)
        assert events.reasons == ["InvalidDiskCapacity", "ImageGCFailed"]
        assert "broken" in events.messages[-1]


async def test_for_pods_all_images_go_that_nobody_uses_unless_they_have_just_come():
    """Also where none goes by itself."""
    clock, events, machine = VirtualClock(), KeptEvents(), _Machine("used", "pinned", "a", "b")
    with _collected(machine, clock, events, high_percent=100, least_age_s=60.0) as garbage:
        await clock.advance(1.0)
        machine.images["sha256:new"] = "new"
        await garbage.remove_unused()
        assert machine.names == {"used", "pinned", "new"}
        await clock.advance(59.0)
        await garbage.remove_unused()
        assert machine.names == {"used", "pinned", "new"}
        await clock.advance(2.0)
        machine.refusals["new"] = Unavailable("broken")
        with pytest.raises(ApiError, match="broken"):
            await garbage.remove_unused()

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from machinery.client.informer import Informer
from machinery.model.requests import EVERYTHING, DeleteOptions, EventType, Selection
from machinery.model.resources import PODS
from tests.support import builders
from tests.support.scripted_api import LocalRegistry, local_registry
from tests.support.virtual_clock import VirtualClock


class World:
    def __init__(self, clock: VirtualClock, server: LocalRegistry) -> None:
        self.clock = clock
        self.server = server
        self.api = self.server.api()
        self.told: list[tuple[EventType, str]] = []

    def informer(self, selection: Selection = EVERYTHING, **options) -> Informer:
        informer = Informer(self.api, PODS, selection, clock=self.clock, jitter=lambda: 0.0, **options)
        informer.subscribe(lambda change: self.told.append((change.kind, change.object.metadata.name)))
        return informer

    @asynccontextmanager
    async def running(self, informer):
        task = asyncio.ensure_future(informer.run())
        await informer.synced()
        try:
            yield informer
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    clock = VirtualClock()
    async with local_registry(clock) as server:
        yield World(clock, server)


async def create(world: World, name: str, **fields) -> None:
    await world.server.given(PODS, builders.pod(name, **fields))


async def test_the_copy_follows_the_collection(world):
    """First the list, then every change, in order."""
    await create(world, "old")
    async with world.running(world.informer()) as informer:
        await create(world, "new")
        await world.api.patch(PODS, "new", {"metadata": {"labels": {"a": "b"}}}, namespace="default")
        await world.api.delete(PODS, "old", namespace="default", options=DeleteOptions(grace_period_s=0))
        await world.clock.settle()
        assert [pod.metadata.name for pod in informer.store] == ["new"]
    kinds = [EventType.ADDED, EventType.ADDED, EventType.MODIFIED, EventType.DELETED]
    assert world.told == list(zip(kinds, ["old", "new", "new", "old"], strict=True))


async def test_a_broken_watch_is_resumed_without_loss_or_repetition(world):
    """Nothing is told twice, nothing left out."""
    async with world.running(world.informer()):
        await create(world, "a")
        await create(world, "gone")
        await world.api.delete(PODS, "gone", namespace="default")
        await world.clock.settle()
        world.server.break_watches()
        await create(world, "b")
        await world.clock.advance(5)
        assert [name for _, name in world.told] == ["a", "gone", "gone", "b"]


async def test_an_expired_watch_lists_again_and_tells_what_disappeared(world):
    """After 410 the difference between old and new list is told."""
    await create(world, "gone")
    await create(world, "stays")
    async with world.running(world.informer()) as informer:
        world.told.clear()
        world.server.break_watches()
        await world.api.delete(PODS, "gone", namespace="default", options=DeleteOptions(grace_period_s=0))
        await create(world, "new")
        await world.server.forget_history()
        await world.clock.advance(10)
        assert sorted(pod.metadata.name for pod in informer.store) == ["new", "stays"]
    assert sorted(world.told, key=lambda item: item[1]) == [
        (EventType.DELETED, "gone"),
        (EventType.ADDED, "new"),
    ]


async def test_an_object_made_anew_under_its_name_is_told_as_deleted_and_added(world):
    """Whoever watched the first one learns of its end."""
    await create(world, "web")
    async with world.running(world.informer()) as informer:
        world.told.clear()
        listed = [
            builders.changed(builders.pod("web"), metadata__uid="another", metadata__resourceVersion="99")
        ]
        informer.replace(listed)
    assert world.told == [(EventType.DELETED, "web"), (EventType.ADDED, "web")]


async def test_indexes_find_objects_by_what_they_refer_to(world):
    """An object moves in the index when it changes."""
    informer = world.informer(indexers={"app": lambda pod: [pod.metadata.labels["app"]]})
    await create(world, "web", labels={"app": "old"})
    async with world.running(informer):
        assert [pod.metadata.name for pod in informer.store.by_index("app", "old")] == ["web"]
        await world.api.patch(PODS, "web", {"metadata": {"labels": {"app": "new"}}}, namespace="default")
        await world.clock.settle()
        assert informer.store.by_index("app", "old") == []
        assert informer.store.index_keys("app") == ["new"]


async def test_a_selection_shows_only_its_part(world):
    """What leaves the selection is deleted for its informer."""
    await create(world, "mine", labels={"app": "web"})
    await create(world, "other", labels={"app": "db"})
    async with world.running(world.informer(Selection(label_selector="app=web"))) as informer:
        await world.api.patch(PODS, "mine", {"metadata": {"labels": {"app": "db"}}}, namespace="default")
        await world.clock.settle()
        assert list(informer.store) == []
    assert world.told == [(EventType.ADDED, "mine"), (EventType.DELETED, "mine")]

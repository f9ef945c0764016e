"""When everything is looked at: often where the runtime tells nothing, seldom where it does; and that no event is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from kubelet.core.labels import POD_UID
from kubelet.core.observed import ContainerState
from kubelet.relist import Relist
from kubelet.start_news import StartNews
from machinery.model.errors import Unavailable
from machinery.pb import cri_pb2 as cri
from tests.support.virtual_clock import VirtualClock


class _Runtime:
    """Has nothing; tells events once it is let, until it is broken."""

    def __init__(self) -> None:
        self.lists = 0
        self.tells = asyncio.Event()
        self.breaks = asyncio.Event()

    async def list_sandboxes(self, _labels: Any = None) -> Sequence[Any]:
        self.lists += 1
        return ()

    async def list_containers(self, _labels: Any = None) -> Sequence[Any]:
        return ()

    async def container_events(self) -> AsyncIterator[Any]:
        await self.tells.wait()
        yield None
        await self.breaks.wait()
        raise Unavailable("the connection has broken")


@pytest.fixture
async def clock() -> VirtualClock:
    return VirtualClock()


async def test_events_take_the_place_of_looking(clock: VirtualClock) -> None:
    """Each second before; once when the stream is there, for what came before it; then each half minute."""
    runtime: Any = _Runtime()
    relist = asyncio.ensure_future(Relist(runtime, clock).run())
    await clock.advance(5.5)
    assert runtime.lists == 6
    runtime.tells.set()
    await clock.advance(0.1)
    assert runtime.lists == 7
    await clock.advance(29)
    assert runtime.lists == 7
    await clock.advance(1)
    assert runtime.lists == 8
    relist.cancel()
    await asyncio.gather(relist, return_exceptions=True)


async def test_a_stream_that_breaks_is_a_reason_to_look_at_once(clock: VirtualClock) -> None:
    """And again when the next one is there: nobody told of what happened between."""
    runtime: Any = _Runtime()
    runtime.tells.set()
    relist = asyncio.ensure_future(Relist(runtime, clock).run())
    await clock.advance(1)
    seen = runtime.lists
    runtime.tells.clear()
    runtime.breaks.set()
    await clock.advance(0.01)
    assert runtime.lists == seen + 1
    await clock.advance(5)
    assert runtime.lists > seen + 4  # it looks each second again
    seen = runtime.lists
    runtime.breaks.clear()
    runtime.tells.set()
    await clock.advance(0.01)
    assert runtime.lists == seen + 1
    relist.cancel()
    await asyncio.gather(relist, return_exceptions=True)


class _OneContainer:
    """Has one container, and tells of its end: when it is let, or while it answers another question."""

    def __init__(self) -> None:
        self.state = cri.CONTAINER_RUNNING
        self.looks = 0  # at the pod
        self.questions = 0  # about the container
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        self.tells_meanwhile = False

    async def list_sandboxes(self, _labels: Any = None) -> Sequence[Any]:
        return ()

    async def list_containers(self, labels: Any = None) -> Sequence[Any]:
        self.looks += labels is not None
        found = cri.Container(id="c", pod_sandbox_id="s", state=self.state, labels={POD_UID: "u"})
        return (found,) if labels else ()

    async def container_status(self, _id: str) -> Any:
        self.questions += 1
        if self.tells_meanwhile:
            self.tell_end()
            while not self.events.empty():
                await asyncio.sleep(0)
            await asyncio.sleep(0)
        return cri.ContainerStatus(id="c", state=self.state)

    async def container_events(self) -> AsyncIterator[Any]:
        yield None
        while True:
            yield await self.events.get()

    def tell_start(self) -> None:
        """Report the start of the container."""
        self._tell(cri.CONTAINER_STARTED_EVENT, cri.CONTAINER_RUNNING)

    def tell_end(self) -> None:
        """Report the end of the container."""
        self._tell(cri.CONTAINER_STOPPED_EVENT, cri.CONTAINER_EXITED)

    def _tell(self, kind: Any, state: Any) -> None:
        sandbox = cri.PodSandboxStatus(id="s", metadata=cri.PodSandboxMetadata(uid="u"))
        self.events.put_nowait(
            cri.ContainerEventResponse(
                container_id="c",
                container_event_type=kind,
                pod_sandbox_status=sandbox,
                containers_statuses=[cri.ContainerStatus(id="c", state=state)],
            )
        )


def _state(relist: Relist) -> ContainerState:
    (container,) = relist.observed("u").containers
    return container.state


async def test_an_end_that_is_told_before_the_start_is_known_is_not_lost(clock: VirtualClock) -> None:
    """The container's starter asked just before it ended, and has the answer just after that was told."""
    runtime: Any = _OneContainer()
    relist = Relist(runtime, clock)
    running = asyncio.ensure_future(relist.run())
    await clock.advance(0.01)
    runtime.tell_end()
    await clock.advance(0.01)
    await relist.note_container("u", "c", "s")
    assert _state(relist) is ContainerState.RUNNING
    runtime.state = cri.CONTAINER_EXITED
    await clock.advance(1)
    assert _state(relist) is ContainerState.EXITED
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_an_end_that_is_told_while_it_is_asked_about_needs_no_other_look(clock: VirtualClock) -> None:
    """Whoever has stopped a container asks about it, and the event is faster than the answer."""
    runtime: Any = _OneContainer()
    relist = Relist(runtime, clock)
    running = asyncio.ensure_future(relist.run())
    await clock.advance(0.01)
    await relist.note_container("u", "c", "s")
    runtime.state, runtime.tells_meanwhile = cri.CONTAINER_EXITED, True
    await relist.note_end("u", "c")
    assert (_state(relist), runtime.looks) == (ContainerState.EXITED, 0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_start_that_is_told_is_not_asked_about(clock: VirtualClock) -> None:
    """Neither where the event comes before the runtime's answer, nor where it comes a moment after it."""
    runtime: Any = _OneContainer()
    relist = Relist(runtime, clock)
    running = asyncio.ensure_future(relist.run())
    await clock.advance(0.01)
    runtime.tell_start()
    await clock.advance(0.01)
    await relist.note_container("u", "c", "s")
    assert (_state(relist), runtime.questions) == (ContainerState.RUNNING, 0)
    relist.note_removed_container("u", "c")
    noting = asyncio.ensure_future(relist.note_container("u", "c", "s"))
    await clock.advance(0.01)
    runtime.tell_start()
    await noting
    assert (_state(relist), runtime.questions) == (ContainerState.RUNNING, 0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_start_that_is_not_told_soon_or_not_the_last_word_is_asked_about(clock: VirtualClock) -> None:
    """Some runtimes tell late or never; and a container may have ended since its start was told."""
    runtime: Any = _OneContainer()
    relist = Relist(runtime, clock)
    running = asyncio.ensure_future(relist.run())
    await clock.advance(0.01)
    await relist.note_container("u", "c", "s")
    assert (_state(relist), runtime.questions) == (ContainerState.RUNNING, 1)
    relist.note_removed_container("u", "c")
    runtime.tell_start()
    runtime.tell_end()
    runtime.state = cri.CONTAINER_EXITED
    await clock.advance(0.01)
    await relist.note_container("u", "c", "s")
    assert (_state(relist), runtime.questions) == (ContainerState.EXITED, 2)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_starts_that_nobody_asks_about_are_few(clock: VirtualClock) -> None:
    """The oldest are dropped: whoever asks about them asks the runtime."""
    news = StartNews(clock)
    for number in range(300):
        news.tell(
            cri.ContainerEventResponse(
                container_id=str(number), container_event_type=cri.CONTAINER_STARTED_EVENT
            )
        )
    assert (await news.take("299")) is not None
    assert (await news.take("299")) is None
    assert (await news.take("0")) is None
    news.forget()
    assert (await news.take("298")) is None

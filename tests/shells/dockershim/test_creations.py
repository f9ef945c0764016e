"""What an engine was asked to create when dockershim died: noted on disk, and waited for by whoever clears up."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dockershim.creations import Creations, appeared, unanswered
from dockershim.docker import Engine
from machinery.model.errors import ApiError, Conflict, DeadlineExceeded, NotFound, Unavailable
from tests.support.fake_engine import FakeEngine
from tests.support.virtual_clock import VirtualClock

NAME = "k8s_" + "_".join(("c" * 63, "p" * 253, "n" * 63, "u" * 36, "0"))  # longer than a file's may be


@pytest.mark.parametrize(
    ("error", "is_open"),
    [
        (None, False),
        (Conflict("the name is taken"), False),
        (NotFound("no such image"), False),
        (Unavailable("the engine went away"), True),
        (DeadlineExceeded("it is slow"), True),
        (asyncio.CancelledError(), True),
    ],
)
async def test_a_creation_is_noted_until_the_engine_has_answered(
    tmp_path: Path, error: BaseException | None, is_open: bool
):
    """An error is an answer, unless it says that there was none."""
    creations = Creations(tmp_path)

    async def create() -> None:
        async with creations.asked(NAME):
            assert unanswered([str(tmp_path)]) == [NAME]  # as one that was killed now leaves it
            if error:
                raise error

    if error:
        with pytest.raises(type(error)):
            await create()
    else:
        await create()
    assert unanswered([str(tmp_path)]) == ([NAME] if is_open else [])
    assert Creations(tmp_path).names() == unanswered([str(tmp_path), str(tmp_path / "another")])


async def test_what_is_on_its_way_is_waited_for():
    """Until it is there, or for so long that it will not come."""
    clock, fake = VirtualClock(), FakeEngine({"app:1"})
    engine = Engine(fake)
    waiting = asyncio.ensure_future(appeared(engine, clock, "slow"))
    await clock.advance(1.0)
    assert not waiting.done()
    await engine.create("slow", {"Image": "app:1"})
    await clock.advance(0.3)
    assert waiting.done()
    never = asyncio.ensure_future(appeared(engine, clock, "never"))
    await clock.advance(8.0)
    assert not never.done()
    await clock.advance(4.0)
    assert never.done()
    assert not isinstance(never.exception(), ApiError)

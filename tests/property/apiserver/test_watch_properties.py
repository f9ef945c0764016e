"""Watches that are opened while writes go on: every acknowledged write, once, in order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from machinery.model.errors import ApiError
from tests.support.apiserver import RegistryBench, config_map, running_registry
from tests.support.examples import examples

_NAMES = st.sampled_from("abc")
_WRITES = st.tuples(st.sampled_from(["create", "patch", "delete"]), _NAMES)
_PAUSES = st.tuples(st.just("pause"), st.integers(1, 4))  # turns of the event loop
_WATCHES = st.tuples(st.just("watch"), st.integers(0, 6))  # from so many revisions ago
_STEPS = st.lists(st.one_of(_WRITES, _WRITES, _PAUSES, _WATCHES), max_size=40)
_HANGS_S = 60.0  # wall seconds; only a watch that says nothing any more takes them

Told = tuple[int, str, str, Any]  # revision, type, name, and the object where it was not deleted


@dataclass
class _Writer:
    """Writes, and remembers what was acknowledged: this is what watches have to tell."""

    bench: RegistryBench
    log: list[Told] = field(default_factory=list)

    async def write(self, number: int, verb: str, name: str) -> None:
        if verb == "create":
            obj = await self.bench.create("configmaps", config_map(name))
        elif verb == "patch":
            obj = await self.bench.patch("configmaps", name, {"data": {"step": str(number)}})
        else:
            await self.bench.delete("configmaps", name)
            self.log.append((await self.bench.storage.revision(), "DELETED", name, None))
            return
        type_ = "ADDED" if verb == "create" else "MODIFIED"
        self.log.append((int(obj["metadata"]["resourceVersion"]), type_, name, obj))

    async def revision(self) -> int:
        return await self.bench.storage.revision()


async def _follow(bench: RegistryBench, start: int, last: asyncio.Future[int]) -> list[Told]:
    """Read a watch from a revision on until it tells the last one."""
    told: list[Told] = []
    watch = await bench.watch("configmaps", resource_version=str(start))
    async for batch in watch:
        for event in batch:
            obj = msgspec.json.decode(event.json)
            is_gone = event.type.value == "DELETED"
            told.append((event.revision, event.type.value, obj["metadata"]["name"], None if is_gone else obj))
        if last.done() and told and told[-1][0] >= last.result():
            break
    await watch.aclose()
    return told


@examples(60)
@given(steps=_STEPS)
def test_a_watch_tells_what_was_written_since_its_start(steps: list[tuple[str, Any]]) -> None:
    """Whenever it was opened, and from whichever revision: the rest of the log, each write once, in order."""

    async def scenario() -> None:
        async with running_registry() as bench, asyncio.timeout(_HANGS_S), asyncio.TaskGroup() as tasks:
            writer, first = _Writer(bench), await bench.storage.revision()
            last: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            watches: list[tuple[int, asyncio.Task[list[Told]]]] = []
            for number, (verb, argument) in enumerate([("watch", 0), *steps, ("watch", 2)]):
                if verb == "pause":
                    for _ in range(argument):
                        await asyncio.sleep(0)
                elif verb == "watch":
                    start = max(first, await writer.revision() - argument)
                    watches.append((start, tasks.create_task(_follow(bench, start, last))))
                else:
                    try:
                        await writer.write(number, verb, argument)
                    except ApiError:
                        continue
            await writer.write(0, "create", "last")
            last.set_result(await writer.revision())
            for start, watch in watches:
                assert await watch == [each for each in writer.log if each[0] > start]
            assert [each[0] for each in writer.log] == list(range(first + 1, last.result() + 1))

    asyncio.run(scenario())

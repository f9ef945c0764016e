"""Watches: every acknowledged write, once, in order."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from machinery.model.errors import ApiError
from tests.support.apiserver import RegistryBench, config_map, running_registry
from tests.support.examples import examples

_NAMES = st.sampled_from("abc")
_STEPS = st.lists(st.tuples(st.sampled_from(["create", "patch", "delete", "pause"]), _NAMES), max_size=25)


async def _step(bench: RegistryBench, number: int, verb: str, name: str) -> None:
    if verb == "create":
        await bench.create("configmaps", config_map(name))
    elif verb == "patch":
        await bench.patch("configmaps", name, {"data": {"step": str(number)}})
    elif verb == "delete":
        await bench.delete("configmaps", name)
    else:
        await asyncio.sleep(0)


async def _follow(bench: RegistryBench, start: int, until: int) -> tuple[dict[str, Any], list[int]]:
    """Build the state from the events of a watch, and give the revisions that it told."""
    state: dict[str, Any] = {}
    told: list[int] = []
    watch = await bench.watch("configmaps", resource_version=str(start), allow_bookmarks=True, timeout_s=5)
    if until <= start:
        await watch.aclose()
        return state, told
    async for batch in watch:
        for event in batch:
            obj = msgspec.json.decode(event.json)
            told.append(event.revision)
            if event.type.value == "DELETED":
                del state[obj["metadata"]["name"]]
            else:
                assert (obj["metadata"]["name"] in state) == (event.type.value == "MODIFIED")
                state[obj["metadata"]["name"]] = obj
        if told and told[-1] >= until:
            break
    await watch.aclose()
    return state, told


@examples(40)
@given(steps=_STEPS)
def test_the_events_of_a_watch_give_the_state_that_a_list_shows(steps: list[tuple[str, str]]) -> None:
    """Every acknowledged write is told exactly once from the watch's start on, in order of revision."""

    async def scenario() -> None:
        async with running_registry() as bench:
            start = await bench.storage.revision()
            written = 0
            for number, (verb, name) in enumerate(steps):
                before = await bench.storage.revision()
                try:
                    await _step(bench, number, verb, name)
                except ApiError:
                    continue
                written += await bench.storage.revision() - before
            until = await bench.storage.revision()
            state, told = await _follow(bench, start, until)
            listed = await bench.list("configmaps")
            shown = {
                obj["metadata"]["name"]: obj
                for item in listed.items
                for obj in [msgspec.json.decode(item.json)]
            }
            assert state == shown
            assert told == list(range(start + 1, until + 1))
            assert len(told) == written

    asyncio.run(scenario())

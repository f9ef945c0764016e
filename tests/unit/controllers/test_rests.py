"""A key whose plan goes through thousands of objects rests between its plans."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.core.actions import NOTHING_TO_DO, Facts, Plan
from controllers.core.caches import Caches
from controllers.core.controller import Build, Controller, Settings, Watched
from controllers.core.keys import itself
from controllers.core.moment import Moment
from controllers.core.rests import LONGEST_S, PER_OBJECT_S, SMALL, rest_s
from machinery.model.errors import NotFound
from machinery.model.resources import CONFIG_MAPS
from tests.support import builders
from tests.support.controllers_cluster import cluster_with

CHANGES = 60
EACH_S = 0.05


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, 0), (SMALL, 0), (SMALL + 1000, 1000 * PER_OBJECT_S), (10**9, LONGEST_S)],
)
def test_a_rest_grows_with_the_objects(size: int, expected: float) -> None:
    """From a number on at which a plan is cheap, and not for ever."""
    assert rest_s(size) == pytest.approx(expected)


def going_through(size: int, planned: list[float], *, fails: bool = False) -> Build:
    """Build a controller whose plan goes through so many objects, and notes when it is made."""

    def build(caches: Caches, _settings: Settings) -> Controller[str]:
        maps = caches.ask(CONFIG_MAPS)

        def plan(_name: str, moment: Moment, _facts: Facts) -> Plan:
            planned.append(moment.monotonic_s)
            if fails:
                raise NotFound("it is not there")
            return NOTHING_TO_DO

        def look(key: Any, _moment: Moment) -> str | None:
            return key[1] if key[1] == "counted" else None

        return Controller("patient", (Watched(maps, itself),), look, plan, size=lambda _seen: size)

    return build


async def objects_gone_through(size: int) -> int:
    """Return how many objects the plans for a stream of changes go through; the last change is not missed."""
    planned: list[float] = []
    async with cluster_with("a", table=(going_through(size, planned),)) as cluster:
        began_s = cluster.clock.monotonic()
        await cluster.server.given(CONFIG_MAPS, builders.config_map("counted", "default"))
        for number in range(CHANGES):
            await cluster.clock.advance(EACH_S)
            changed = {"data": {"number": str(number)}}
            await cluster.user.patch(CONFIG_MAPS, "counted", changed, namespace="default")
        last_s = cluster.clock.monotonic()
        await cluster.clock.advance(LONGEST_S + 1)
        assert planned[-1] >= last_s
        assert planned[0] < began_s + 1
        count = len(planned)
        await cluster.clock.advance(LONGEST_S + 1)
        assert len(planned) == count
    return size * len(planned)


async def test_ten_times_as_many_objects_cost_no_more() -> None:
    """For the same stream of changes, beyond the last plan."""
    few, many = await objects_gone_through(SMALL + 500), await objects_gone_through(SMALL + 5000)
    assert many - (SMALL + 5000) <= few
    assert await objects_gone_through(SMALL) == SMALL * (CHANGES + 1)


async def test_what_fails_is_tried_again_as_ever() -> None:
    """After the back-off, not the rest."""
    tries = []
    for size in (SMALL, SMALL + 5000):
        planned: list[float] = []
        async with cluster_with("a", table=(going_through(size, planned, fails=True),)) as cluster:
            await cluster.server.given(CONFIG_MAPS, builders.config_map("counted", "default"))
            await cluster.clock.advance(10)
        tries.append(len(planned))
    assert tries[0] == tries[1] > 5

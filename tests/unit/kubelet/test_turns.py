"""How many containers are put together at the same time."""

from __future__ import annotations

import asyncio

from kubelet.turns import OF_ALL, OF_POD, Turns


class _Makers:
    def __init__(self) -> None:
        self.turns, self.go_on = Turns(), asyncio.Event()
        self.at_work: list[str] = []

    async def make(self, uid: str) -> None:
        async with self.turns.taken(uid):
            self.at_work.append(uid)
            await self.go_on.wait()
            self.at_work.remove(uid)


async def test_a_pod_with_many_containers_waits_on_itself():
    """Four of one pod are made at once, however many it has; the next pod's begin all the same."""
    makers = _Makers()
    async with asyncio.TaskGroup() as group:
        for uid in ["many"] * 100 + ["one"]:
            group.create_task(makers.make(uid))
        await asyncio.sleep(0)
        assert (makers.at_work.count("many"), makers.at_work.count("one")) == (OF_POD, 1)
        makers.go_on.set()
    assert not makers.at_work


async def test_all_pods_together_make_a_bounded_number():
    """What all of them need at once is bounded as well; whoever is cancelled leaves the place to the next."""
    makers = _Makers()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(makers.make(f"pod-{number}")) for number in range(2 * OF_ALL)]
        await asyncio.sleep(0)
        assert len(makers.at_work) == OF_ALL
        for task in tasks[:OF_ALL]:
            task.cancel()
        await asyncio.gather(*tasks[:OF_ALL], return_exceptions=True)
        makers.go_on.set()

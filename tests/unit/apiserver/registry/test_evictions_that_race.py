"""Evictions of pods that change while they are evicted, and many evictions of the pods of one budget at once."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from apiserver.storage import interface
from apiserver.storage.memory import MemoryStorage
from machinery.model.errors import TooManyRequests
from machinery.model.requests import PatchType
from tests.support.apiserver import RegistryBench, pod, running_registry


class Overtaken(MemoryStorage):
    """A store in which somebody else writes the pods just before the next few writes of them, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.statuses: list[dict[str, Any]] = []

    async def update(self, key: str, value: bytes, expected_revision: int, **options: Any) -> Any:
        """Replace a value, too late where somebody was faster."""
        if key.startswith("/registry/pods/") and self.statuses:
            found = await self.get(key)
            assert found is not None
            other = {**msgspec.json.decode(found.value), "status": self.statuses.pop(0)}
            assert isinstance(
                await super().update(key, msgspec.json.encode(other), found.revision), interface.Written
            )
        return await super().update(key, value, expected_revision, **options)


READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
UNREADY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}
SELECTOR = {"matchLabels": {"app": "web"}}


async def give(bench: RegistryBench, status: dict[str, Any], *names: str, **counts: int) -> None:
    """Make pods of a status, and their budget."""
    for name in names:
        await bench.create("pods", pod(name, node="node-1", labels={"app": "web"}))
        await bench.patch("pods/status", name, {"status": status}, PatchType.STRATEGIC_MERGE)
    budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b"}}
    await bench.create("poddisruptionbudgets", {**budget, "spec": {"minAvailable": 1, "selector": SELECTOR}})
    counted = {"observedGeneration": 1, "expectedPods": len(names), **counts}
    await bench.patch("poddisruptionbudgets/status", "b", {"status": counted}, PatchType.MERGE)


async def evict(bench: RegistryBench, name: str) -> None:
    """Evict a pod."""
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    await bench.create("pods/eviction", eviction, name=name)


@pytest.mark.parametrize(
    ("before", "meanwhile", "words"),
    [
        ({"phase": "Pending"}, READY, "needs 1 healthy pods and has 1 currently"),
        (UNREADY, READY, "is still being processed"),
    ],
)
async def test_a_pod_that_becomes_ready_while_it_is_evicted_stays(
    before: dict[str, Any], meanwhile: dict[str, Any], words: str
) -> None:
    """What was no loss a moment ago is one now: the budget has to be asked."""
    storage = Overtaken()
    async with running_registry(storage) as bench:
        await give(bench, before, "p", currentHealthy=1, desiredHealthy=1, disruptionsAllowed=0)
        storage.statuses = [meanwhile]
        with pytest.raises(TooManyRequests) as caught:
            await evict(bench, "p")
        assert words in caught.value.causes[0].message
        assert "deletionTimestamp" not in (await bench.get("pods", "p"))["metadata"]


async def test_a_pod_that_changes_and_still_disturbs_nobody_goes() -> None:
    """The eviction looks again."""
    storage = Overtaken()
    async with running_registry(storage) as bench:
        await give(bench, {"phase": "Pending"}, "p", disruptionsAllowed=0)
        storage.statuses = [{"phase": "Pending", "message": str(number)} for number in range(3)]
        await evict(bench, "p")
        assert "deletionTimestamp" in (await bench.get("pods", "p"))["metadata"]


@pytest.mark.parametrize("allowed", [0, *(pytest.param(each, marks=pytest.mark.deep) for each in (1, 7))])
async def test_no_more_pods_go_than_the_budget_allows(allowed: int) -> None:
    """However many evictors there are at once."""
    names = [f"p{number}" for number in range(10)]
    async with running_registry() as bench:
        await give(
            bench, READY, *names, currentHealthy=10, desiredHealthy=10 - allowed, disruptionsAllowed=allowed
        )
        evictors = [evict(bench, name) for name in names * 2]
        outcomes = await asyncio.gather(*evictors, return_exceptions=True)
        refused = [each for each in outcomes if isinstance(each, TooManyRequests)]
        going = [name for name in names if "deletionTimestamp" in (await bench.get("pods", name))["metadata"]]
        assert len(going) == allowed
        assert len(refused) == 20 - sum(each is None for each in outcomes)
        status = (await bench.get("poddisruptionbudgets", "b"))["status"]
        assert (status["disruptionsAllowed"], sorted(status.get("disruptedPods", {}))) == (0, going)

"""What a cluster has from the beginning is written, whatever the store does meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from apiserver.core.bootstrap_rbac import NEEDED, others
from apiserver.registry import Registry
from apiserver.request import Request
from machinery.model.errors import Unavailable
from tests.support.apiserver import RegistryBench, running_registry

ROLE = "system:controller:job-controller"


@pytest.fixture
async def bench() -> AsyncIterator[RegistryBench]:
    async with running_registry() as running:
        yield running


async def test_a_store_that_is_away_for_a_while_is_waited_for(
    bench: RegistryBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be written is tried again, all of it is there in the end, and the other roles come only then."""
    create, failures = Registry.create, 5

    async def fail_at_first(registry: Registry, request: Request) -> object:
        nonlocal failures
        if failures:
            failures -= 1
            raise Unavailable("etcd is away")
        return await create(registry, request)

    monkeypatch.setattr(Registry, "create", fail_at_first)
    await bench.core.bootstrap.run_until_done(bench.clock)
    assert await _roles(bench) == _count(NEEDED)
    failures = 5
    await bench.core.bootstrap.complete_until_done(bench.clock)
    assert await _roles(bench) == _count(NEEDED) + _count(others())


async def test_a_role_that_somebody_changed_is_kept_up_to_date(bench: RegistryBench) -> None:
    """What was taken out comes back and what was added stays, unless its annotation says that it is not to be touched."""
    await bench.core.bootstrap.run()
    await bench.core.bootstrap.complete()
    whole = (await bench.get("clusterroles", ROLE))["rules"]
    own = {"verbs": ["get"], "apiGroups": ["example.com"], "resources": ["things"]}
    await bench.patch("clusterroles", ROLE, {"rules": [own, whole[0]]})
    await _started_anew(bench)
    assert (await bench.get("clusterroles", ROLE))["rules"] == [own, *whole]
    fixed = {"annotations": {"rbac.authorization.kubernetes.io/autoupdate": "false"}}
    await bench.patch("clusterroles", ROLE, {"metadata": fixed, "rules": [own]})
    await _started_anew(bench)
    assert (await bench.get("clusterroles", ROLE))["rules"] == [own]


async def _started_anew(bench: RegistryBench) -> None:
    await bench.feed.fresh()  # as it is before the first look of a start
    await bench.core.bootstrap.complete()


async def _roles(bench: RegistryBench) -> int:
    return len((await bench.list("clusterroles")).items)


def _count(objects: tuple[dict[str, object], ...]) -> int:
    return sum(obj["kind"] == "ClusterRole" for obj in objects)

"""A container that exits at once."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from kubarium.identity.pki import Pki
from tests.support.scenario_invariants import check_invariants
from tests.support.scenario_objects import pod
from tests.support.scenario_world import running_cluster

CRASHES = {
    "hollow.kubarium.dev/main.exit-after": "0s",
    "hollow.kubarium.dev/main.exit-code": "3",
}


@pytest.mark.deep
async def test_a_crashing_container_is_restarted_later_and_later(tmp_path: Path, pki: Pki):
    """The first restart is at once, then after 10, 20, 40, 80, 160 and, from then on, 300 seconds."""
    async with running_cluster(tmp_path, pki, nodes=1) as cluster:
        await cluster.api.admin.create("pods", pod("crash", annotations=CRASHES))
        starts: list[float] = []
        messages: list[str] = []

        def restarts() -> int:
            statuses = (cluster.object("pods", "crash") or {}).get("status", {}).get("containerStatuses", [])
            return statuses[0]["restartCount"] if statuses else 0

        for number in range(1, 9):
            await cluster.until(lambda number=number: restarts() == number, limit_s=400)
            starts.append(cluster.elapsed_s)
            await cluster.rest(1.0)
            found = cluster.object("pods", "crash")
            assert found
            assert found["status"]["phase"] == "Running"
            (status,) = found["status"]["containerStatuses"]
            assert status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
            assert status["lastState"]["terminated"]["exitCode"] == 3
            assert status["lastState"]["terminated"]["reason"] == "Error"
            messages.append(status["state"]["waiting"]["message"])
        gaps = [round(after - before) for before, after in pairwise(starts)]
        assert gaps == [10, 20, 40, 80, 160, 300, 300]
        crashed = cluster.object("pods", "crash")
        assert crashed
        uid = crashed["metadata"]["uid"]
        waits = ["10s", "20s", "40s", "1m20s", "2m40s", "5m0s", "5m0s", "5m0s"]
        assert messages == [
            f"back-off {wait} restarting failed container=main pod=crash_default({uid})" for wait in waits
        ]
        await cluster.api.admin.delete("pods", "crash")
        await cluster.until(lambda: not cluster.objects("pods"), limit_s=60)
        await cluster.rest(10.0)
        assert not cluster.nodes["node-1"].hollow.containers
        assert not cluster.journal
        await check_invariants(cluster)
        cluster.transcript.compare("crash-loop", cluster.observer.seen)

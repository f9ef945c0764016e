"""A node falls silent, by death or by isolation: default profile, Kubernetes' own times."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubarium.identity.pki import Pki
from machinery.model.profile import INTERVALS
from tests.support.scenario_invariants import check_invariants
from tests.support.scenario_objects import web, web_service
from tests.support.scenario_world import Cluster, condition, is_node_ready, is_pod_ready, running_cluster

TIMES = INTERVALS["default"]


def ready(cluster: Cluster, *, but: str = "") -> int:
    """How many pods are Ready, on other nodes than one."""
    found = [pod for pod in cluster.objects("pods") if is_pod_ready(pod)]
    return sum(pod["spec"]["nodeName"] != but for pod in found)


def at(cluster: Cluster, what: str) -> float:
    """When a line was told first, in seconds of the transcript."""
    line = next(line for line in cluster.transcript.lines(cluster.observer.seen) if what in line)
    return float(line.partition("s ")[0].removeprefix("t=+"))


@pytest.mark.deep
@pytest.mark.parametrize("how", ["dead", "cut-off"])
async def test_the_pods_of_a_silent_node_run_elsewhere_in_time(how: str, tmp_path: Path, pki: Pki):
    """Unknown after the grace, evicted after the toleration, replaced at once; the node that returns is cleaned up."""
    async with running_cluster(tmp_path, pki) as cluster:
        await cluster.api.admin.create("services", web_service())
        await cluster.api.admin.create("deployments", web(6))
        await cluster.until(lambda: ready(cluster) == 6, limit_s=60)
        await cluster.rest(7.0)
        lost = {
            pod["metadata"]["uid"] for pod in cluster.objects("pods") if pod["spec"]["nodeName"] == "node-2"
        }
        assert len(lost) == 2
        lease = cluster.object("leases", "node-2", "kube-node-lease")
        assert lease
        renewed_s = cluster.clock.timescale.parse(lease["spec"]["renewTime"]) - cluster.transcript.begun_s
        silent_s = cluster.elapsed_s
        if how == "dead":
            await cluster.power_off("node-2")
        else:
            cluster.cut_off("node-2")

        await cluster.until(lambda: condition(cluster.object("nodes", "node-2", ""), "Ready") == "Unknown")
        unknown_s = cluster.elapsed_s
        assert unknown_s - renewed_s == pytest.approx(TIMES.node_monitor_grace_s, abs=0.1)
        assert renewed_s <= silent_s < unknown_s
        await cluster.rest(1.0)
        assert ready(cluster) == 4, "the pods of a node that nobody hears from count no longer"

        await cluster.until(lambda: ready(cluster, but="node-2") == 6, limit_s=600)
        assert cluster.elapsed_s == pytest.approx(unknown_s + TIMES.default_toleration_s, abs=0.1)
        assert at(cluster, "node-2: tainted node.kubernetes.io/unreachable:NoExecute") == unknown_s
        assert at(cluster, "is being deleted") == cluster.elapsed_s
        leftover = {
            pod["metadata"]["uid"] for pod in cluster.objects("pods") if pod["spec"]["nodeName"] == "node-2"
        }
        assert leftover == lost, "their objects stay until somebody who knows says that they are over"

        await cluster.rest(60.0)
        if how == "dead":
            await cluster.boot("node-2")
        else:
            assert sum(each.is_ready for each in cluster.nodes["node-2"].hollow.sandboxes.values()) == 2
            cluster.join("node-2")
        await cluster.until(lambda: is_node_ready(cluster.object("nodes", "node-2", "")), limit_s=60)
        await cluster.until(lambda: len(cluster.objects("pods")) == 6, limit_s=120)
        await cluster.rest(90.0)
        assert ready(cluster, but="node-2") == 6
        assert not cluster.nodes["node-2"].hollow.sandboxes
        await check_invariants(cluster)
        cluster.transcript.compare(f"node-{how}", cluster.observer.seen)

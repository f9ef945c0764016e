"""From a Deployment and a Service to Ready pods behind endpoints."""

from __future__ import annotations

from pathlib import Path

from kubarium.identity.pki import Pki
from tests.support.scenario_invariants import check_invariants
from tests.support.scenario_objects import web, web_service
from tests.support.scenario_world import is_pod_ready, running_cluster


async def test_a_deployment_and_its_service_come_up(tmp_path: Path, pki: Pki):
    """Three replicas land on three nodes, become Ready, and the Service leads to all of them."""
    async with running_cluster(tmp_path, pki) as cluster:
        admin = cluster.api.admin
        await admin.create("services", web_service())
        await admin.create("deployments", web(3))
        await cluster.until(lambda: sum(map(is_pod_ready, cluster.objects("pods"))) == 3, limit_s=60)
        await cluster.rest()
        assert {pod["spec"]["nodeName"] for pod in cluster.objects("pods")} == {"node-1", "node-2", "node-3"}
        assert not cluster.journal
        await check_invariants(cluster)
        cluster.transcript.compare("deploy", cluster.observer.seen)

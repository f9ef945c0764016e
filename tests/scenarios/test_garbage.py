"""What is deleted with what: owners and what they own, a namespace and all that is in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubarium.identity.pki import Pki
from tests.support.scenario_invariants import check_invariants
from tests.support.scenario_objects import web, web_service
from tests.support.scenario_world import Cluster, is_pod_ready, running_cluster


def ready(cluster: Cluster) -> int:
    """How many pods are Ready."""
    return sum(map(is_pod_ready, cluster.objects("pods")))


def gone_at(cluster: Cluster, kind: str) -> int:
    """At which revision the last object of a kind went."""
    return max(
        each.revision for each in cluster.observer.seen if each.kind.kind == kind and each.type == "DELETED"
    )


@pytest.mark.parametrize("policy", [pytest.param("Background", marks=pytest.mark.deep), "Foreground"])
async def test_what_a_deployment_owns_goes_with_it(policy: str, tmp_path: Path, pki: Pki):
    """In the background the owner goes first, in the foreground last; in the end nothing is left."""
    async with running_cluster(tmp_path, pki, nodes=1) as cluster:
        await cluster.api.admin.create("deployments", web(2))
        await cluster.until(lambda: ready(cluster) == 2, limit_s=60)
        await cluster.rest()
        await cluster.api.admin.delete("deployments", "web", propagation_policy=policy)
        kinds = ("deployments", "replicasets", "pods")
        await cluster.until(lambda: not any(map(cluster.objects, kinds)), limit_s=120, why="all gone")
        await cluster.rest(10.0)
        order = [gone_at(cluster, kind) for kind in ("Deployment", "ReplicaSet", "Pod")]
        assert order == sorted(order, reverse=policy == "Foreground")
        assert not cluster.nodes["node-1"].hollow.containers
        await check_invariants(cluster)
        cluster.transcript.compare(f"garbage-{policy.lower()}", cluster.observer.seen)


@pytest.mark.deep
async def test_orphans_stay_and_are_adopted_again(tmp_path: Path, pki: Pki):
    """With propagation Orphan the ReplicaSet goes on without its owner; a Deployment made anew takes it over."""
    async with running_cluster(tmp_path, pki, nodes=1) as cluster:
        await cluster.api.admin.create("deployments", web(2))
        await cluster.until(lambda: ready(cluster) == 2, limit_s=60)
        await cluster.rest()
        pods = {pod["metadata"]["uid"] for pod in cluster.objects("pods")}
        await cluster.api.admin.delete("deployments", "web", propagation_policy="Orphan")
        await cluster.until(lambda: not cluster.objects("deployments"), limit_s=60)
        await cluster.rest(60.0)
        (replica_set,) = cluster.objects("replicasets")
        assert "ownerReferences" not in replica_set["metadata"]
        await cluster.api.admin.create("deployments", web(2))
        await cluster.until(lambda: cluster.objects("replicasets")[0]["metadata"].get("ownerReferences"))
        await cluster.rest(30.0)
        assert {pod["metadata"]["uid"] for pod in cluster.objects("pods")} == pods
        assert len(cluster.objects("replicasets")) == 1
        await check_invariants(cluster)
        cluster.transcript.compare("garbage-orphan", cluster.observer.seen)


async def test_a_namespace_goes_with_everything_in_it(tmp_path: Path, pki: Pki):
    """Its objects go, its pods gracefully, then the namespace itself; other namespaces keep theirs."""
    async with running_cluster(tmp_path, pki, nodes=1) as cluster:
        admin = cluster.api.admin
        await admin.create("namespaces", {"metadata": {"name": "shop"}})
        await cluster.until(lambda: cluster.object("serviceaccounts", "default", "shop"), limit_s=60)
        await admin.create("deployments", web(2), namespace="shop")
        await admin.create("services", web_service(), namespace="shop")
        await admin.create(
            "configmaps", {"metadata": {"name": "settings"}, "data": {"a": "b"}}, namespace="shop"
        )
        await admin.create(
            "secrets", {"metadata": {"name": "hidden"}, "stringData": {"a": "b"}}, namespace="shop"
        )
        await admin.create("configmaps", {"metadata": {"name": "settings"}, "data": {"a": "b"}})
        await cluster.until(lambda: ready(cluster) == 2, limit_s=60)
        await cluster.rest()
        await admin.delete("namespaces", "shop")
        await cluster.until(lambda: cluster.object("namespaces", "shop", "") is None, limit_s=120)
        await cluster.rest(10.0)
        left = [seen.key for seen in cluster.observer.seen if seen.key[1] == "shop"]
        assert not [key for key in left if cluster.object(*_reordered(key))]
        assert cluster.object("configmaps", "settings")
        assert not cluster.nodes["node-1"].hollow.containers
        await check_invariants(cluster)
        cluster.transcript.compare("namespace", cluster.observer.seen)


def _reordered(key: tuple[str, str, str]) -> tuple[str, str, str]:
    resource, namespace, name = key
    return resource, name, namespace

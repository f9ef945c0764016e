"""A rolling update and its undo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kubarium.identity.pki import Pki
from tests.support.scenario_invariants import check_invariants, ready_pods
from tests.support.scenario_objects import LABELS, pod_template, web, web_service
from tests.support.scenario_world import Cluster, is_pod_ready, running_cluster

REPLICAS = 3


def images(cluster: Cluster) -> list[str]:
    """Return the images of the Ready pods."""
    ready = (pod for pod in cluster.objects("pods") if is_pod_ready(pod))
    return sorted(pod["spec"]["containers"][0]["image"] for pod in ready)


def is_rolled_out(cluster: Cluster, image: str) -> bool:
    """Whether all pods are of an image, and no others are left."""
    return images(cluster) == [image] * REPLICAS and len(cluster.objects("pods")) == REPLICAS


def history(cluster: Cluster) -> dict[str, Any]:
    """Return the revisions that there are: revision → image, as `kubectl rollout history` finds them."""
    return {
        obj["metadata"]["annotations"]["deployment.kubernetes.io/revision"]: obj["spec"]["template"]["spec"][
            "containers"
        ][0]["image"]
        for obj in cluster.objects("replicasets")
    }


async def test_a_rolling_update_and_its_undo_never_lack_a_ready_pod(tmp_path: Path, pki: Pki):
    """With maxSurge 1 and maxUnavailable 0 all replicas are Ready all the time; the history keeps both revisions."""
    async with running_cluster(tmp_path, pki) as cluster:
        admin = cluster.api.admin
        await admin.create("services", web_service())
        await admin.create("deployments", web(REPLICAS))
        await cluster.until(lambda: is_rolled_out(cluster, "app:1"), limit_s=60, why="first revision")
        await cluster.rest()
        begun_s = cluster.clock.now()

        await admin.patch("deployments", "web", {"spec": {"template": pod_template("app:2")}})
        await cluster.until(lambda: is_rolled_out(cluster, "app:2"), limit_s=300, why="second revision")
        await cluster.rest()
        assert history(cluster) == {"1": "app:1", "2": "app:2"}

        old = next(obj for obj in cluster.objects("replicasets") if not obj["spec"]["replicas"])
        template = {**old["spec"]["template"]}
        template["metadata"] = {**template["metadata"], "labels": LABELS}
        await admin.patch("deployments", "web", {"spec": {"template": template}})
        await cluster.until(lambda: is_rolled_out(cluster, "app:1"), limit_s=300, why="undo")
        await cluster.rest()
        assert history(cluster) == {"3": "app:1", "2": "app:2"}

        counts = ready_pods(cluster.observer.seen, lambda _: True)
        assert min(number for at_s, number in counts if at_s > begun_s) >= REPLICAS
        assert max(number for at_s, number in counts if at_s > begun_s) <= REPLICAS + 1
        assert not cluster.journal
        await check_invariants(cluster)
        cluster.transcript.compare("rollout", cluster.observer.seen)

"""Redis on claims of the default class: what it has acknowledged outlives its node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kubarium import Cluster
from tests.support.clusters import StartCluster
from tests.support.debian_images import REDIS, build_debian_image
from tests.support.kubectl import Kubectl, eventually, is_ready
from tests.support.requirements import need

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

MANIFEST = Path(__file__).resolve().parents[2] / "examples" / "redis.yaml"
WRITER = """
exec 2>/dev/null
number=0
while number=$((number + 1)); do
  case $(timeout 2 redis-cli -h "$REDIS_0_SERVICE_HOST" rpush written $number) in
    [0-9]*) echo $number;;
    *) sleep 0.1;;
  esac
done
"""


@pytest.fixture(scope="module")
def redis(images: None) -> None:
    """The image of Redis."""
    need("docker", "apt")
    build_debian_image(REDIS)


def always_at_redis_0() -> dict[str, Any]:
    """Return a Service of that one pod: an address that stays when the pod is another one."""
    selector = {"statefulset.kubernetes.io/pod-name": "redis-0"}
    spec = {"selector": selector, "ports": [{"port": 6379}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "redis-0"}, "spec": spec}


def writer(node: str) -> dict[str, Any]:
    """Return a pod that writes one number after the other, and logs those that were acknowledged."""
    box = {"name": "main", "image": REDIS.name, "command": ["sh", "-c", WRITER]}
    spec = {
        "containers": [box],
        "nodeSelector": {"kubernetes.io/hostname": node},
        "terminationGracePeriodSeconds": 0,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "writer"}, "spec": spec}


def start_redis(kubectl: Kubectl) -> str:
    """Start the example, and a writer on another node than the first server's, which is returned."""
    kubectl("apply", "-f", str(MANIFEST))
    kubectl("rollout", "status", "statefulset/redis", "--timeout=180s", timeout_s=200)
    claims = {each["metadata"]["name"]: each["status"]["phase"] for each in kubectl.get("pvc")}
    assert claims == {f"data-redis-{ordinal}": "Bound" for ordinal in range(3)}
    node = str(kubectl.get("pod", "redis-0")["spec"]["nodeName"])
    kubectl.apply(always_at_redis_0())
    kubectl.apply(writer(next(each for each in ("node-1", "node-2") if each != node)))
    return node


def acknowledged(kubectl: Kubectl) -> list[int]:
    """Return the numbers whose writes were acknowledged, in that order."""
    return [int(line) for line in kubectl("logs", "writer").split()]


def written(kubectl: Kubectl) -> set[int]:
    """Return the numbers that the server has."""
    said = kubectl("exec", "redis-0", "--", "redis-cli", "lrange", "written", "0", "-1")
    return set(map(int, said.split()))


def reason(kubectl: Kubectl, condition: str) -> str:
    """Return the reason that a condition of the server's pod has."""
    path = f'-o=jsonpath={{.status.conditions[?(@.type=="{condition}")].reason}}'
    return kubectl("get", "pod", "redis-0", path)


def test_redis_keeps_what_it_has_acknowledged_when_its_node_dies(redis: None, start_cluster: StartCluster):
    """While the node is down, the pod and the one in its place say why they wait; then all writes are there, and go on."""
    cluster = start_cluster("redis", nodes=3, runtime="docker", profile="fast")
    kubectl = Kubectl(cluster.kubeconfig)
    node = start_redis(kubectl)
    first = kubectl.get("pod", "redis-0")["metadata"]["uid"]
    eventually(lambda: kubectl.run("logs", "writer").out.count("\n") > 200, what="200 writes")
    cluster.kill(node)
    before = acknowledged(kubectl)

    eventually(lambda: "TaintManagerEviction" in kubectl("describe", "pod", "redis-0"), what="the eviction")
    eventually(
        lambda: "Node is not ready" in kubectl("describe", "pod", "redis-0"), what="the warning of the node"
    )
    eventually(
        lambda: reason(kubectl, "DisruptionTarget") == "DeletionByTaintManager",
        what="its reason, told after its event",
    )
    waiting = kubectl.get("pod", "redis-0")
    assert waiting["metadata"]["uid"] == first  # as long as it may run, there is no other one
    assert not is_ready(waiting)

    kubectl("delete", "pod", "redis-0", "--force", "--grace-period=0")
    conflict = "2 node(s) didn't match PersistentVolume's node affinity"
    eventually(lambda: conflict in kubectl("describe", "pod", "redis-0"), what="why the next pod waits")
    eventually(
        lambda: reason(kubectl, "PodScheduled") == "Unschedulable", what="the condition, told after its event"
    )
    waiting = kubectl.get("pod", "redis-0")
    assert waiting["metadata"]["uid"] != first
    assert waiting["status"]["phase"] == "Pending"

    cluster.restart(node)
    kubectl("wait", "pod/redis-0", "--for=condition=Ready", "--timeout=180s", timeout_s=200)
    assert kubectl.get("pod", "redis-0")["spec"]["nodeName"] == node
    eventually(lambda: len(acknowledged(kubectl)) > len(before) + 50, what="further writes")
    after = acknowledged(kubectl)
    assert after[: len(before)] == before
    assert set(after) <= written(kubectl)

    kubectl("delete", "pod", "writer")
    kept = written(kubectl)
    stop_and_start(cluster)
    eventually(lambda: is_restarted(kubectl), timeout_s=120, what="the server's next start")
    assert kept <= written(kubectl)


def stop_and_start(cluster: Cluster) -> None:
    """Stop the whole cluster, and start it as it was left."""
    assert cluster.halt()
    Cluster.up(cluster.name, home=cluster.layout.home.parent)


def is_restarted(kubectl: Kubectl) -> bool:
    """Whether the server's container is Ready in its second life."""
    pod = kubectl.get("pod", "redis-0")
    return is_ready(pod) and pod["status"]["containerStatuses"][0]["restartCount"] > 0

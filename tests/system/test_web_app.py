"""The web-app Deployment of the seed documents: started, updated and undone under load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kubarium import Cluster
from kubarium.core.network import node_namespace
from tests.support.clusters import clusters
from tests.support.kubectl import Kubectl, eventually, is_ready
from tests.support.load import Load
from tests.support.requirements import need

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

MANIFEST = Path(__file__).resolve().parents[2] / "examples" / "web-app.yaml"


@pytest.fixture(scope="module")
def cluster(images: None) -> Iterator[Cluster]:
    """A cluster of this file's own: where pods go depends on what else runs."""
    need("etcd", "docker", "cni", "kubectl")
    with clusters() as start:
        yield start("web", nodes=3, runtime="docker")


@pytest.fixture(scope="module")
def production(cluster: Cluster) -> Iterator[Kubectl]:
    """The manifest, applied and rolled out."""
    kubectl = Kubectl(cluster.kubeconfig, "production")
    kubectl("apply", "-f", str(MANIFEST))
    kubectl("rollout", "status", "deployment/web-app", "--timeout=90s", timeout_s=100)
    yield kubectl
    kubectl("delete", "-f", str(MANIFEST), "--timeout=120s", timeout_s=130)


def test_it_runs_on_all_three_nodes(production: Kubectl):
    """Three replicas are Ready, each on a node of its own."""
    pods = production.pods("app=web-app")
    assert all(is_ready(pod) for pod in pods)
    assert {pod["spec"]["nodeName"] for pod in pods} == {"node-1", "node-2", "node-3"}


def test_the_container_sees_what_the_manifest_gives_it(production: Kubectl):
    """Environment from a Secret and a field, files from a ConfigMap, a token of its ServiceAccount."""
    name = production.pods("app=web-app")[0]["metadata"]["name"]
    script = (
        "echo $NODE_ENV $DB_HOST $POD_NAME; cat /app/config/app.properties; touch /tmp/x && echo writable"
    )
    said = production("exec", name, "--", "sh", "-c", script).split()
    assert said == ["production", "db.example.com", name, "greeting=hello", "writable"]
    token = production("exec", name, "--", "cat", "/var/run/secrets/kubernetes.io/serviceaccount/token")
    assert token.count(".") == 2


def test_the_service_reaches_pods_on_every_node(cluster: Cluster, production: Kubectl):
    """From each node, the ClusterIP is answered by every replica in turn."""
    address = production.get("service", "web-app")["spec"]["clusterIP"]
    for node in ("node-1", "node-2", "node-3"):
        with Load(node_namespace(cluster.name, node), address, 80, limit_s=2) as load:
            pass
        assert load.lost == 0, load.examples
    names = {pod["metadata"]["name"] for pod in production.pods("app=web-app")}
    client = min(names)
    script = f"for i in $(seq 60); do wget -qO- http://{address}/; echo; done"
    answers = production("exec", client, "--", "sh", "-c", script)
    assert {name for name in names if name in answers} == names


def test_an_update_and_an_undo_lose_no_request(cluster: Cluster, production: Kubectl):
    """A rolling update and its undo under a steady load through the Service: every request is answered."""
    address = production.get("service", "web-app")["spec"]["clusterIP"]
    with Load(node_namespace(cluster.name, "node-2"), address, 80) as load:
        production("set", "image", "deployment/web-app", "web=myregistry/web-app:v1.1.0")
        production("rollout", "status", "deployment/web-app", "--timeout=150s", timeout_s=160)
        assert _images(production) == {"myregistry/web-app:v1.1.0"}
        production("rollout", "undo", "deployment/web-app")
        production("rollout", "status", "deployment/web-app", "--timeout=150s", timeout_s=160)
    assert load.lost == 0, f"{load.lost} of {load.answered + load.lost}: {load.examples}"
    assert load.answered > 500
    eventually(lambda: _images(production) == {"myregistry/web-app:v1.0.0"}, what="the old image everywhere")
    history = production("rollout", "history", "deployment/web-app")
    assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["2", "3"]


def test_a_node_is_drained_behind_a_budget_without_a_lost_request(cluster: Cluster, production: Kubectl):
    """Two of three pods stay Ready while one is evicted; a taint drives out those that do not tolerate it."""
    address = production.get("service", "web-app")["spec"]["clusterIP"]
    production("create", "poddisruptionbudget", "web-app", "--selector=app=web-app", "--min-available=2")
    eventually(lambda: production.get("pdb", "web-app")["status"].get("disruptionsAllowed") == 1)
    with Load(node_namespace(cluster.name, "node-2"), address, 80) as load:
        production("drain", "node-3", "--delete-emptydir-data", "--timeout=60s", timeout_s=70)
        assert "node-3" not in _nodes(production)
        eventually(lambda: len(_nodes(production)) == 3, what="three Ready pods on the others")
        production("uncordon", "node-3")
        production("taint", "nodes", "node-2", "gpu=true:NoExecute")
        eventually(
            lambda: sorted(set(_nodes(production))) == ["node-1", "node-3"] and len(_nodes(production)) == 3,
            what="nobody on a node that drives them out",
        )
    production("taint", "nodes", "node-2", "gpu-")
    assert load.lost == 0, f"{load.lost} of {load.answered + load.lost}: {load.examples}"


def _nodes(kubectl: Kubectl) -> list[str]:
    return [pod["spec"]["nodeName"] for pod in kubectl.pods("app=web-app") if is_ready(pod)]


def _images(kubectl: Kubectl) -> set[str]:
    pods = (pod for pod in kubectl.pods("app=web-app") if "deletionTimestamp" not in pod["metadata"])
    return {pod["spec"]["containers"][0]["image"] for pod in pods}

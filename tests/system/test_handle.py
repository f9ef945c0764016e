"""The handle: what `kubarium` does with live clusters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kubarium import Cluster, KubariumError
from tests.support.clusters import StartCluster, clusters
from tests.support.kubectl import Kubectl, eventually, is_ready, own_namespace
from tests.support.requirements import need
from tests.support.waiting import remains

pytestmark = [pytest.mark.cluster, pytest.mark.docker]


@pytest.fixture(scope="module")
def small() -> Iterator[Cluster]:
    """A cluster of one simulated node, shared by the tests that leave it as it was."""
    need("etcd")
    with clusters() as start:
        yield start("small", nodes=1, runtime="hollow", time_scale=10)


def test_two_clusters_side_by_side(start_cluster: StartCluster):
    """Clusters share a machine without seeing each other."""
    first, second = (start_cluster(name, nodes=1, runtime="docker") for name in ("one", "two"))
    Kubectl(first.kubeconfig)("create", "namespace", "only-here")
    assert Kubectl(second.kubeconfig).run("get", "namespace", "only-here").code != 0
    first.down()
    assert Kubectl(second.kubeconfig)("get", "nodes", "-o", "name").strip() == "node/node-1"


def test_a_name_that_another_folder_has_taken_is_refused(start_cluster: StartCluster, tmp_path: Path):
    """Namespaces and containers carry the cluster's name; nothing of the first one is touched."""
    first = start_cluster("same", nodes=1, runtime="docker")
    with pytest.raises(KubariumError, match='a cluster "same" of another folder is on this machine'):
        Cluster.up("same", home=tmp_path, nodes=1, runtime="docker")
    eventually(lambda: {process.state for process in first.ps()} == {"ready"}, what="the first one as it was")


def test_a_second_up_finds_the_cluster_running(small: Cluster):
    """`up` on a running cluster changes nothing."""
    before = {process.name: process.pid for process in small.ps()}
    Cluster.up(small.name, home=small.layout.home.parent, nodes=1, runtime="hollow")
    assert {process.name: process.pid for process in small.ps()} == before


def test_nodes_come_and_go_with_their_declared_capacity(start_cluster: StartCluster):
    """A node is added to a live cluster with the capacity that it declares, and removed again."""
    cluster = start_cluster("growing", nodes=1, runtime="docker")
    name = cluster.add_node(cpu="500m", memory="256Mi")
    cluster.wait_ready()
    kubectl = Kubectl(cluster.kubeconfig)
    capacity = kubectl.get("node", name)["status"]["capacity"]
    assert (capacity["cpu"], capacity["memory"]) == ("500m", "256Mi")
    cluster.remove_node(name)
    assert kubectl.run("get", "node", name).code != 0


DAEMONS = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: main, image: "busybox:1.36"}], terminationGracePeriodSeconds: 0}
"""


def test_a_node_that_comes_gets_its_daemon_which_goes_with_it(small: Cluster):
    """Nobody asks for it."""
    with own_namespace(small.kubeconfig, "daemons") as kubectl:
        kubectl("create", "-f", "-", stdin=DAEMONS)

        def ready_on() -> set[str]:
            return {pod["spec"]["nodeName"] for pod in kubectl.pods() if is_ready(pod)}

        eventually(lambda: ready_on() == {"node-1"}, what="a daemon on the only node")
        name = small.add_node()
        eventually(lambda: ready_on() == {"node-1", name}, what="a daemon on the new node")
        small.remove_node(name)
        eventually(lambda: len(kubectl.pods()) == 1, what="only the first daemon")
        kubectl("rollout", "status", "daemonset/agent", "--timeout=180s", timeout_s=200)
        kubectl("delete", "daemonset", "agent")


def test_a_killed_component_stays_down_until_it_is_wanted(small: Cluster):
    """What the user killed is not brought back, what died on its own is."""
    small.kill("scheduler")

    def state() -> str:
        return {process.name: process.state for process in small.ps()}["scheduler"]

    eventually(lambda: state() == "stopped", what="scheduler stopped")
    remains(lambda: state() == "stopped", for_s=1)
    small.restart("scheduler")
    eventually(
        lambda: {item.name: item.state for item in small.ps()}["scheduler"] == "ready",
        what="scheduler ready",
    )

    def restarts() -> int:
        return {process.name: process.restarts for process in small.ps()}["controllers"]

    before = restarts()
    small.kill("controllers", restart=True)
    eventually(lambda: restarts() > before, what="a restart")


def test_an_unknown_component_is_named_with_the_known_ones(small: Cluster):
    """A wrong name is answered with the right ones."""
    with pytest.raises(KubariumError, match=r'no component "schedular" \(it has: etcd, apiserver, scheduler'):
        small.kill("schedular")


def test_a_paused_node_agent_is_noticed(start_cluster: StartCluster):
    """A frozen kubelet stops renewing its lease; the node turns NotReady and back."""
    cluster = start_cluster("frozen", nodes=2, runtime="hollow", profile="fast")
    kubectl = Kubectl(cluster.kubeconfig)
    ready = '-o=jsonpath={.status.conditions[?(@.type=="Ready")].status}'
    cluster.pause("kubelet@node-1")
    eventually(lambda: kubectl("get", "node", "node-1", ready) == "Unknown", timeout_s=120, what="NotReady")
    cluster.resume("kubelet@node-1")
    eventually(lambda: kubectl("get", "node", "node-1", ready) == "True", timeout_s=120, what="Ready again")

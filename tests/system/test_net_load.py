"""Under 500 requests a second through Services and an Ingress: what an update or a kill of a proxy loses (nothing), and other faults (little)."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kubarium import Cluster, ProcessInfo
from kubarium.core.network import node_namespace
from tests.support.clusters import clusters
from tests.support.ingress_image import build_ingress_image, ingress_manifest
from tests.support.kubectl import Kubectl, eventually, is_ready
from tests.support.requirements import need
from tests.support.steady_load import PATIENCE_S, Door, Load

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

RATE = 500.0  # a second, over all doors, where the machine can do that beside its other work
LEAST_RATE = 60.0
STEADY_S = 2.0  # before and after what happens
CALM_S = 1.5  # the longest that an answer takes where the rate is one for this machine
# From what happens until the cluster says that it has dealt with it: seconds on a quiet machine, and no more than this on one that
# has other work. An attempt is tried again by its client after 1 s and gets a living endpoint then, so that few are lost.
OVER_S = 90.0
SPREADS_S = 3.0  # from what the cluster says until each node does it
ASKER = "node-1"
EDGE = "kubarium-ingress"  # the namespace of the ingress controller

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "terminationGracePeriodSeconds": 10,
                "topologySpreadConstraints": [
                    {
                        "maxSkew": 1,
                        "topologyKey": "kubernetes.io/hostname",
                        "whenUnsatisfiable": "ScheduleAnyway",
                        "labelSelector": {"matchLabels": {"app": "web"}},
                    }
                ],
                "containers": [
                    {
                        "name": "web",
                        "image": "myregistry/web-app:v1.0.0",
                        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1},
                    }
                ],
            },
        },
    },
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
}
INGRESS = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "web"},
    "spec": {
        "ingressClassName": "kubarium",
        "defaultBackend": {"service": {"name": "web", "port": {"number": 80}}},
    },
}
HAS_ADDRESS = "--for=jsonpath={.status.loadBalancer.ingress[0].ip}"


@pytest.fixture(scope="module")
def cluster(images: None) -> Iterator[Cluster]:
    """Three nodes of this file's own: it kills what others need."""
    need("etcd", "docker", "cni", "kubectl", "haproxy")
    build_ingress_image()
    with clusters() as start:
        yield start("load", nodes=3, runtime="docker", profile="fast")


@pytest.fixture(scope="module")
def web(cluster: Cluster) -> Kubectl:
    """The application, on all three nodes, behind a load balancer and an Ingress."""
    kubectl, edge = Kubectl(cluster.kubeconfig), Kubectl(cluster.kubeconfig, EDGE)
    edge("apply", "-f", "-", stdin=ingress_manifest())
    kubectl.apply(DEPLOYMENT, SERVICE, INGRESS)
    kubectl("rollout", "status", "deployment/web", "--timeout=180s", timeout_s=200)
    edge("rollout", "status", "deployment/ingress", "--timeout=180s", timeout_s=200)
    for what in ("service/web", "ingress/web"):
        kubectl("wait", what, HAS_ADDRESS, "--timeout=180s", timeout_s=200)
    return kubectl


@pytest.fixture
def doors(web: Kubectl) -> list[Door]:
    """The ways to the application, all asked from one node. Another way is one more line."""
    service, ingress = web.get("service", "web"), web.get("ingress", "web")
    [balancer], [edge] = (each["status"]["loadBalancer"]["ingress"] for each in (service, ingress))
    spec = service["spec"]
    addresses = web.get("node", "node-2")["status"]["addresses"]
    node = next(each["address"] for each in addresses if each["type"] == "InternalIP")
    return [
        Door("ClusterIP", spec["clusterIP"], 80, "web"),
        Door("NodePort", node, spec["ports"][0]["nodePort"], "web"),
        Door("LoadBalancer", balancer["ip"], 80, "web"),
        Door("Ingress", edge["ip"], 80, "web"),
    ]


def rate_of(cluster: Cluster, doors: list[Door]) -> float:
    """Return the highest rate, at most RATE, at which all is well while nothing happens: what is lost later is the fault's doing."""
    rate = RATE
    while rate >= LEAST_RATE:
        with Load(node_namespace(cluster.name, ASKER), doors, rate) as load:
            _pass(STEADY_S)
        if not load.failures and (load.slowest_s < CALM_S or rate / 2 < LEAST_RATE):
            return rate
        print(f"{rate:.0f} requests a second are too many for this machine now: {load}")
        rate /= 2
    raise AssertionError(f"nothing happens, and requests are lost: {load}")


def under_load(cluster: Cluster, doors: list[Door], act: Callable[[Load], None]) -> Load:
    """Have something happen while requests come, which go on for some time after it."""
    rate = rate_of(cluster, doors)
    with Load(node_namespace(cluster.name, ASKER), doors, rate) as load:
        _pass(STEADY_S)
        load.mark()
        act(load)
        _pass(STEADY_S)
    assert sum(load.answered.values()) + len(load.failures) > 0.5 * LEAST_RATE * 2 * STEADY_S
    print(f"{rate:.0f} requests a second: {load}")
    return load


def lost_in_between(load: Load) -> bool:
    """Whether all that is lost was sent between both marks, or waited at the first; the second one came in good time."""
    begun, over = load.marks
    assert over - begun < OVER_S, str(load)
    return all(begun - PATIENCE_S < each.sent_s < over + SPREADS_S for each in load.failures)


def _pass(for_s: float) -> None:
    until = time.monotonic() + for_s
    while time.monotonic() < until:
        time.sleep(0.05)


def test_a_rolling_update_loses_no_request(cluster: Cluster, web: Kubectl, doors: list[Door]):
    """Neither by the ClusterIP, nor by a node port, a load balancer's address or an Ingress."""

    def update(_: Load) -> None:
        web("set", "image", "deployment/web", "web=myregistry/web-app:v1.1.0")
        web("rollout", "status", "deployment/web", "--timeout=180s", timeout_s=200)
        eventually(lambda: len(web.pods("app=web")) == 3, what="the end of the old pods")

    load = under_load(cluster, doors, update)
    assert not load.failures, str(load)


def test_killed_proxies_lose_no_request(cluster: Cluster, doors: list[Door]):
    """On all nodes at once: the rules stay."""

    def kill(_: Load) -> None:
        for number in (1, 2, 3):
            cluster.kill(f"proxy@node-{number}", restart=True)
        _pass(STEADY_S)

    load = under_load(cluster, doors, kill)
    assert not load.failures, str(load)


def test_a_killed_dns_is_back_within_its_bound(cluster: Cluster, web: Kubectl, doors: list[Door]):
    """Names are not answered until it is ready again, and then they are; who has the address notices nothing."""
    before = cluster_process(cluster, "dns").restarts

    def is_back() -> bool:
        now = cluster_process(cluster, "dns")
        return now.restarts > before and now.state == "ready"

    def kill(load: Load) -> None:
        cluster.kill("dns", restart=True)
        eventually(is_back, what="DNS again")
        load.mark()
        _pass(SPREADS_S + 1)

    names = Door("DNS", "10.96.0.10", 53, f"web.{web.namespace}.svc.cluster.local", "dns")
    load = under_load(cluster, [names, *doors], kill)
    assert not load.failed(*(door.name for door in doors)), str(load)
    assert lost_in_between(load), str(load)
    assert load.answered["DNS"] > LEAST_RATE / len(load.doors) * STEADY_S / 2


def cluster_process(cluster: Cluster, name: str) -> ProcessInfo:
    """Return what the cluster says of one of its processes."""
    return next(each for each in cluster.ps() if each.name == name)


def test_a_killed_ingress_proxy_loses_requests_for_seconds_only(
    cluster: Cluster, web: Kubectl, doors: list[Door]
):
    """Those that went to this replica, until it runs again; who asks the application otherwise notices nothing."""
    edge = Kubectl(cluster.kubeconfig, EDGE)
    [container] = edge.pods("app=ingress")[0]["status"]["containerStatuses"]

    def is_back() -> bool:
        pods = edge.pods("app=ingress")
        again = [each["status"]["containerStatuses"][0]["restartCount"] for each in pods]
        return sum(again) == 1 and all(map(is_ready, pods))

    def kill(load: Load) -> None:
        name = container["containerID"].removeprefix("docker://")
        subprocess.run(["docker", "kill", name], check=True, capture_output=True)
        eventually(is_back, what="the replica again")
        load.mark()
        _pass(SPREADS_S + 1)

    load = under_load(cluster, doors, kill)
    assert not load.failed(*(door.name for door in doors if door.name != "Ingress")), str(load)
    assert lost_in_between(load), str(load)


def test_a_dead_node_loses_requests_for_seconds_only(cluster: Cluster, web: Kubectl, doors: list[Door]):
    """Those that went to its pods and by its address, until it is known to be dead; then none any more."""
    victim = "node-3"  # who asks is on node-1, and whose port is asked is node-2
    edge = Kubectl(cluster.kubeconfig, EDGE)

    def is_known() -> bool:
        """Whether nothing leads there any more: no endpoint, and no load balancer's address."""
        services = (web.get("service", "web"), edge.get("service", "ingress"))
        return not any(
            each["metadata"]["annotations"]["kubarium.dev/announced-by"] == victim for each in services
        ) and not any(
            end["conditions"]["ready"] and end["nodeName"] == victim
            for each in (*web.get("endpointslices"), *edge.get("endpointslices"))
            for end in each["endpoints"] or ()
            if "nodeName" in end
        )

    def crash(load: Load) -> None:
        cluster.kill(victim)
        eventually(is_known, what="nothing leads to the dead node")
        load.mark()
        _pass(SPREADS_S + 1)

    load = under_load(cluster, doors, crash)
    assert lost_in_between(load), str(load)
    assert len(load.failures) < load.rate * (load.marks[1] - load.marks[0] + SPREADS_S), str(load)
    cluster.restart(victim)
    eventually(lambda: sum(map(is_ready, web.pods("app=web"))) >= 3, what="three ready pods")

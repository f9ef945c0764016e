"""Services of every type, with real pods, real packets and the real kubectl."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from urllib.request import urlopen

import pytest

from kubarium import Cluster
from kubarium.core.network import node_namespace
from tests.support.kubectl import Kubectl, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.docker]


WGET = ("timeout", "2", "busybox", "wget", "-qO-")  # its own -T crashes in Debian 12


def from_node(cluster: Cluster, node: str, url: str) -> str:
    """Ask from a node; return who answered, "" for nobody."""
    command = ["ip", "netns", "exec", node_namespace(cluster.name, node), *WGET, url]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout.strip()


def from_machine(url: str) -> str:
    """Ask from the machine itself."""
    try:
        with urlopen(url, timeout=2) as answer:
            return str(answer.read().decode().strip())
    except OSError:
        return ""


def from_pod(kubectl: Kubectl, pod: str, url: str) -> str:
    """Ask from a pod."""
    return kubectl.run("exec", pod, "--", "timeout", "2", "wget", "-qO-", url).out.strip()


def test_a_deployment_is_exposed_in_every_way(cluster: Cluster, kubectl: Kubectl):
    """A load balancer answers machine, nodes and pods; so do node ports; clients may be remembered; types follow each other."""
    kubectl("create", "deployment", "web", "--image=myregistry/web-app:v1.0.0", "--replicas=2")
    kubectl("rollout", "status", "deployment/web", "--timeout=180s", timeout_s=200)
    names = {pod["metadata"]["name"] for pod in kubectl.pods("app=web")}
    kubectl("expose", "deployment", "web", "--port=80", "--target-port=8080", "--type=LoadBalancer")
    kubectl(
        "wait",
        "service/web",
        "--for=jsonpath={.status.loadBalancer.ingress[0].ip}",
        "--timeout=180s",
        timeout_s=200,
    )
    service = kubectl.get("service", "web")
    [ingress], spec = service["status"]["loadBalancer"]["ingress"], service["spec"]
    assert ingress["ipMode"] == "VIP"

    def reasons() -> set[str]:
        events = kubectl.get("events", "--field-selector=involvedObject.name=web")
        return {event["reason"] for event in events}

    eventually(lambda: {"EnsuringLoadBalancer", "EnsuredLoadBalancer"} <= reasons(), what="both events")

    nodes = {node["metadata"]["name"]: node["status"]["addresses"] for node in kubectl.get("nodes")}
    node_ips = [each["address"] for found in nodes.values() for each in found if each["type"] == "InternalIP"]
    urls = [f"http://{ingress['ip']}/", *(f"http://{ip}:{spec['ports'][0]['nodePort']}/" for ip in node_ips)]
    askers: list[Callable[[str], str]] = [
        from_machine,
        lambda url: from_pod(kubectl, min(names), url),
        *(lambda url, node=node: from_node(cluster, node, url) for node in nodes),  # type: ignore[misc]
    ]
    for ask in askers:
        for url in urls:
            eventually(
                lambda ask=ask, url=url: any(name in ask(url) for name in names), timeout_s=120, what=url
            )  # type: ignore[misc]

    kubectl("patch", "service", "web", "-p", '{"spec": {"sessionAffinity": "ClientIP"}}')
    cluster_ip = f"http://{spec['clusterIP']}/"

    def one_answers() -> bool:
        answers = {from_pod(kubectl, min(names), cluster_ip) for _ in range(6)}
        return len(answers) == 1 and answers != {""}

    eventually(one_answers, what="one that answers")

    kubectl(
        "patch", "service", "web", "-p", '{"spec": {"type": "ExternalName", "externalName": "example.com"}}'
    )
    changed = kubectl.get("service", "web")
    assert not {"clusterIP", "clusterIPs", "ipFamilies"} & changed["spec"].keys()
    eventually(
        lambda: "finalizers" not in kubectl.get("service", "web")["metadata"], what="the balancer's end"
    )
    eventually(lambda: not from_machine(urls[0]), what="nobody at the address")
    kubectl("patch", "service", "web", "-p", '{"spec": {"type": "ClusterIP", "externalName": null}}')
    address = kubectl.get("service", "web")["spec"]["clusterIP"]
    eventually(lambda: from_pod(kubectl, min(names), f"http://{address}/"), what=f"an answer of {address}")

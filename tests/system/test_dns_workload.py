"""DNS as a workload of the cluster, of the product's own image: scheduled and healed, its ServiceAccount its identity."""

from __future__ import annotations

import pytest

from tests.support.clusters import StartCluster
from tests.support.kubectl import Kubectl, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.docker, pytest.mark.timeout(600)]

BUSYBOX = "busybox:1.36"


def test_dns_is_a_workload(product_image: str, start_cluster: StartCluster, monkeypatch: pytest.MonkeyPatch):
    """The image is there, so that auto is that. It answers before "is up" is said, heals, follows its ConfigMap, and is on two nodes; no process stands beside it."""
    monkeypatch.setenv("KUBARIUM_IMAGE", product_image)
    cluster = start_cluster("kt-dns", nodes=2, runtime="docker", dns="auto")
    assert "dns" not in {each.name for each in cluster.ps()}
    system, kubectl = Kubectl(cluster.kubeconfig, "kube-system"), Kubectl(cluster.kubeconfig)
    system("rollout", "status", "deployment/kubarium-dns", "--timeout=180s", timeout_s=200)
    pods = system.pods("k8s-app=kube-dns")
    assert {each["spec"]["nodeName"] for each in pods} == {"node-1", "node-2"}
    kubectl("run", "asker", f"--image={BUSYBOX}", "--command", "--", "sleep", "3600")
    kubectl("wait", "pod/asker", "--for=condition=Ready", "--timeout=180s", timeout_s=200)

    def told(name: str) -> str:
        done = kubectl.run("exec", "asker", "--", "timeout", "5", "nslookup", name)
        return done.out + done.err

    eventually(lambda: "10.96.0.1" in told("kubernetes.default.svc.cluster.local"), what="a name")
    data = '{"data": {"hosts": "192.0.2.7 printer.example"}}'
    system("patch", "configmap", "kubarium-dns", "-p", data)
    eventually(lambda: "192.0.2.7" in told("printer.example"), what="a host of the ConfigMap")
    names = {each["metadata"]["name"] for each in pods}
    system("delete", "pod", "-l", "k8s-app=kube-dns", "--wait=false")
    eventually(
        lambda: len([each for each in system.pods("k8s-app=kube-dns") if each["metadata"]["name"] not in names]) == 2,
        what="new pods",
    )  # fmt: skip
    system("rollout", "status", "deployment/kubarium-dns", "--timeout=180s", timeout_s=200)
    eventually(lambda: "10.96.0.1" in told("kubernetes.default.svc.cluster.local"), what="healed")

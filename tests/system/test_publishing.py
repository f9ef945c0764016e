"""What runs in the cluster is seen from the machine, at ports of its loopback: published ones, and those of a tunnel."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from functools import partial
from urllib.request import urlopen

import pytest

from kubarium import Cluster, KubariumError
from kubarium.dns_answers import connected, until_it_answers
from tests.support.clusters import StartCluster
from tests.support.kubectl import Kubectl, eventually
from tests.support.ports import free_port, free_ports

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

IMAGE = "myregistry/web-app:v1.0.0"


def seen_at(port: int) -> str:
    """Ask the machine's own port; return what a browser would show, "" where nobody answers."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return str(answer.read().decode().strip())
    except OSError:
        return ""


def expose(kubectl: Kubectl, name: str, type_: str) -> str:
    """Run a pod behind a Service of its name with port 80; return the pod's name, by which it answers."""
    kubectl("create", "deployment", name, f"--image={IMAGE}")
    kubectl("expose", "deployment", name, "--port=80", "--target-port=8080", f"--type={type_}")
    kubectl("rollout", "status", f"deployment/{name}", "--timeout=180s", timeout_s=200)
    return str(kubectl.pods(f"app={name}")[0]["metadata"]["name"])


def test_published_ports_lead_to_services_for_as_long_as_the_cluster_runs(start_cluster: StartCluster):
    """To a load balancer by its port, and to one Service of any type by its name; also after a kill, and over UDP."""
    by_port, by_name, names = free_ports(3)
    publish = [f"{by_port}:80", f"{by_name}:default/inner", f"{names}:kube-system/kube-dns/udp"]
    cluster = start_cluster("kt-publish", nodes=1, runtime="docker", publish=publish)
    kubectl = Kubectl(cluster.kubeconfig)
    assert seen_at(by_port) == ""
    with pytest.raises(KubariumError, match=rf"--publish {by_port}:80: 127.0.0.1:{by_port} cannot be had"):
        start_cluster("kt-publish-2", nodes=1, runtime="docker", publish=publish[:1])
    with pytest.raises(KubariumError, match="--publish none"):
        start_cluster("kt-publish", publish=[])
    outer, inner = expose(kubectl, "outer", "LoadBalancer"), expose(kubectl, "inner", "ClusterIP")
    for port, pod in ((by_port, outer), (by_name, inner)):
        eventually(lambda port=port, pod=pod: pod in seen_at(port), what=f"port {port}")  # type: ignore[misc]
    asyncio.run(asyncio.wait_for(until_it_answers(partial(connected, "127.0.0.1", names)), 120))
    cluster.kill("publish", restart=True)
    eventually(lambda: outer in seen_at(by_port), what="after a kill")


def test_a_tunnel_is_open_until_it_is_ended(cluster: Cluster, kubectl: Kubectl):
    """It says where, ends with 0 at Ctrl-C, and leaves no port open."""
    pod, port = expose(kubectl, "plain", "ClusterIP"), free_port()
    namespace = kubectl.pods("app=plain")[0]["metadata"]["namespace"]
    command = [sys.executable, "-m", "kubarium", "tunnel", "--name", cluster.name]
    environment = {**os.environ, "KUBARIUM_HOME": str(cluster.layout.home.parent)}
    tunnel = subprocess.Popen(
        [*command, "-n", namespace, f"{port}:plain"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )
    with tunnel:
        assert tunnel.stdout is not None
        try:
            assert tunnel.stdout.readline().strip() == f"127.0.0.1:{port} → {namespace}/plain:80"
            eventually(lambda: pod in seen_at(port), what="the tunnel")
        finally:
            tunnel.send_signal(signal.SIGINT)
        assert tunnel.wait(60) == 0
        assert "closed" in tunnel.stdout.read()
    assert seen_at(port) == ""
    wrong = subprocess.run(
        [*command, "nobody"], capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert wrong.returncode == 1
    assert "there is no Service default/nobody" in wrong.stderr

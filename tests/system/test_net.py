"""`kubarium net` on a real cluster: every way between pods, nodes and the machine, and what it says of single ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from kubarium import Cluster
from tests.support.kubectl import Kubectl, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

PROBES = 300
WITHIN_S = 180  # about 30 s on a quiet machine


def kubarium_net(cluster: Cluster, *arguments: str) -> tuple[int, Any]:
    """Run `kubarium net … -o json`; return its exit code and what it printed."""
    command = [sys.executable, "-m", "kubarium", "net", *arguments, "--name", cluster.name, "-o", "json"]
    environment = {**os.environ, "KUBARIUM_HOME": str(cluster.layout.home.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_every_way_there_is(cluster: Cluster, kubectl: Kubectl):
    """The matrix: pods, nodes and the machine, by every type of Service, name and policy, by TCP and UDP, in good time."""
    code, found = kubarium_net(cluster, "check")
    failed = [each for each in found["probes"] if not each["passed"]]
    assert (code, failed) == (0, [])
    assert len(found["probes"]) >= PROBES
    assert found["tookSeconds"] < WITHIN_S
    assert len(found["nodes"]) == 2
    assert kubectl.run("get", "namespace", found["namespace"]).code == 1  # it has cleaned up


def pod(name: str, node: str, *command: str) -> dict[str, Any]:
    """Return a pod on a node."""
    container = {"name": "main", "image": "busybox:1.36", "command": list(command)}
    spec = {"nodeName": node, "terminationGracePeriodSeconds": 0, "containers": [container]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": spec,
    }


def test_what_is_said_of_a_way_is_what_becomes_of_packets(cluster: Cluster, kubectl: Kubectl):
    """From a pod to another node's through a Service: it arrives; with a policy it is dropped there; without endpoints refused."""
    kubectl.apply(
        pod("web", "node-2", "nc", "-ll", "-p", "8080", "-e", "echo", "hello"),
        pod("asker", "node-1", "sleep", "3600"),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 8080}]},
        },
    )
    kubectl("wait", "pod", "web", "asker", "--for=condition=Ready", "--timeout=180s", timeout_s=200)
    asked = ("service/web", "--from", "pod/asker", "-n", kubectl.namespace)

    def answered() -> str:
        return kubectl.run("exec", "asker", "--", "nc", "-w", "1", "web", "8080").out.strip()

    def way() -> dict[str, Any]:
        [destination] = kubarium_net(cluster, *asked)[1]["destinations"]
        [only] = destination["ways"]
        return dict(only)

    eventually(lambda: answered() == "hello", what="an answer")
    found = way()
    assert (found["end"], found["pod"]) == ("arrives", f"{kubectl.namespace}/web")
    assert [hop["place"] for hop in found["hops"]][-2:] == ["node-2", f"pod {kubectl.namespace}/web"]

    kubectl.apply(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "deny"},
            "spec": {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"]},
        }
    )
    eventually(lambda: way()["end"] == "lost", what="a policy in the rules")
    assert not answered()
    found = way()
    assert found["loss"] == "dropped on node-2"
    assert found["reasons"] == [
        f"ingress: what comes to {kubectl.namespace}/web is isolated by deny, and no rule lets it through"
    ]

    kubectl("delete", "networkpolicy", "deny")
    eventually(lambda: answered() == "hello", what="an answer again")
    kubectl("delete", "pod", "web")
    eventually(lambda: way()["loss"] == "refused on node-1", what="a refusal")
    ask = ("exec", "asker", "--", "nc", "-w", "5", "web", "8080")
    eventually(lambda: "refused" in kubectl.run(*ask).err, what="a refusal of packets")

"""Names, from inside of pods on real packets: busybox' resolver asks the ClusterIP of kube-dns on another machine's behalf."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from kubarium import Cluster
from tests.support.kubectl import Kubectl, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

BUSYBOX = "busybox:1.36"


def _objects(namespace: str) -> list[dict[str, Any]]:
    labels, box = {"app": "db"}, {"name": "main", "image": BUSYBOX, "command": ["sleep", "3600"]}
    ports = [{"name": "sql", "port": 5432}]
    template = {
        "metadata": {"labels": labels},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [box]},
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "db"},
            "spec": {"clusterIP": "None", "selector": labels, "ports": ports},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "front"},
            "spec": {"selector": labels, "ports": ports},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "alias"},
            "spec": {"type": "ExternalName", "externalName": f"front.{namespace}.svc.cluster.local"},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "db"},
            "spec": {
                "serviceName": "db",
                "replicas": 2,
                "podManagementPolicy": "Parallel",
                "selector": {"matchLabels": labels},
                "template": template,
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "plain"},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "containers": [box],
                "dnsPolicy": "None",
                "setHostnameAsFQDN": True,
                "hostname": "one",
                "subdomain": "db",
                "dnsConfig": {
                    "nameservers": ["10.96.0.10"],
                    "searches": ["svc.cluster.local"],
                    "options": [{"name": "ndots", "value": "2"}],
                },
            },
        },
    ]


def _egress(name: str, *rules: dict[str, Any]) -> dict[str, Any]:
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": list(rules)}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": spec,
    }


def _asks(kubectl: Kubectl, pod: str, *words: str) -> str:
    done = kubectl.run("exec", pod, "--", "nslookup", *words)
    return done.out + done.err


def _addresses(text: str) -> set[str]:
    return set(re.findall(r"Address: (\S+)$", text, re.MULTILINE))


def test_names_inside_of_pods(kubectl: Kubectl, cluster: Cluster) -> None:
    """Short and full, of Services and of a StatefulSet's pods, ports, aliases, addresses; and when the server was killed."""
    namespace = kubectl.namespace
    kubectl.apply(*_objects(namespace))
    kubectl("wait", "--for=condition=Ready", "pod/db-0", "pod/db-1", "pod/plain", "--timeout=180s")
    domain = f"{namespace}.svc.cluster.local"
    resolv = kubectl("exec", "db-0", "--", "cat", "/etc/resolv.conf")
    assert "nameserver 10.96.0.10\n" in resolv
    assert f"search {domain} svc.cluster.local cluster.local" in resolv
    assert "options ndots:5\n" in resolv
    ips = {
        name: kubectl("get", kind, name, f"-o=jsonpath={{{path}}}")
        for kind, name, path in (
            ("service", "front", ".spec.clusterIP"),
            ("pod", "db-0", ".status.podIP"),
            ("pod", "db-1", ".status.podIP"),
        )
    }
    for name, expected in (
        ("db", {ips["db-0"], ips["db-1"]}),
        ("front", {ips["front"]}),
        ("db-1.db", {ips["db-1"]}),
        ("alias", {ips["front"]}),
    ):
        eventually(
            lambda name=name, expected=expected: (
                _addresses(_asks(kubectl, "db-0", f"{name}.{domain}")) == expected
            ),
            what=name,
        )  # type: ignore[misc]
    for words, expected_text in (
        (("-type=srv", f"_sql._tcp.front.{domain}"), f"5432 front.{domain}"),
        ((ips["db-1"],), f"db-1.db.{domain}"),
        ((f"nobody.{domain}",), "NXDOMAIN"),
    ):
        eventually(
            lambda words=words, text=expected_text: text in _asks(kubectl, "db-0", *words), what=expected_text
        )  # type: ignore[misc]
    assert kubectl("exec", "plain", "--", "hostname").strip() == f"one.db.{domain}"
    assert "nameserver 10.96.0.10" in kubectl("exec", "plain", "--", "cat", "/etc/resolv.conf")
    short = ("exec", "db-0", "--", "ping", "-c", "1", "-W", "5", "db-1.db")
    eventually(lambda: kubectl.run(*short).code == 0, what="a short name is reached")
    cluster.kill("dns", restart=True)
    eventually(lambda: _addresses(_asks(kubectl, "db-0", f"front.{domain}")) == {ips["front"]})


def _says(cluster: Cluster, *words: str) -> Any:
    command = [sys.executable, "-m", "kubarium", *words, "--name", cluster.name, "-o", "json"]
    environment = {**os.environ, "KUBARIUM_HOME": str(cluster.layout.home.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150, check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_a_policy_that_allows_dns_allows_it(kubectl: Kubectl, cluster: Cluster) -> None:
    """The server is no pod, and what lets through to the pods of kube-dns at port 53 leads to it; nothing else does."""
    box = {"name": "main", "image": BUSYBOX, "command": ["sleep", "3600"]}
    kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "asker"},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [box]},
        },
        _egress("deny"),
    )
    kubectl("wait", "--for=condition=Ready", "pod/asker", "--timeout=180s")
    name = "kubernetes.default.svc.cluster.local"

    def resolves() -> bool:
        ask = f"timeout 2 nslookup {name}"
        return "10.96.0.1" in _addresses(kubectl.run("exec", "asker", "--", "sh", "-c", ask).out)

    eventually(lambda: not resolves(), what="a pod that is isolated")
    there = {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}
    pods = {"matchLabels": {"k8s-app": "kube-dns"}}
    peer = {"namespaceSelector": there, "podSelector": pods}
    kubectl.apply(_egress("dns", {"to": [peer], "ports": [{"protocol": "UDP", "port": 53}]}))
    eventually(resolves, what="a name")
    address, port = kubectl(
        "get", "endpointslice", "-n=kube-system", "-l=kubernetes.io/service-name=kube-dns",
        "-o=jsonpath={.items[0].endpoints[0].addresses[0]} {.items[0].ports[0].port}",
    ).split()  # fmt: skip
    source = f"{kubectl.namespace}/asker"

    def explained() -> list[str]:
        found = _says(
            cluster, "explain", "netpol", "--from", source, "--to", address, "--port", f"{port}/udp"
        )
        return [found["to"], found["directions"][0]["reason"]]

    def ends() -> list[tuple[str, list[str]]]:
        words = ("net", "service/kube-dns", "-n", "kube-system", "--from", source, "--port", "53/udp")
        [destination] = _says(cluster, *words)["destinations"]
        return [(way["end"], way["reasons"]) for way in destination["ways"]]

    counts = f"{address} (counts as a pod kube-system/kube-dns at UDP 53)"
    assert explained() == [counts, f"by rule 0 of networkpolicy {kubectl.namespace}/dns"]
    eventually(lambda: ends() == [("arrives", [])], what="what is said of the way")
    kubectl("delete", "networkpolicy", "dns")
    eventually(lambda: not resolves(), what="a pod that is isolated again")
    why = f"what leaves {source} is isolated by deny, and no rule lets it through"
    assert explained() == [counts, why]
    eventually(lambda: ends() == [("lost", [f"egress: {why}"])], what="what is said of the way")

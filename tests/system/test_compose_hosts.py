"""Compose on two hosts: two projects of one engine stand for them, each with its network, its published ports and its nodes.

What the engine would not do if it were two is taken back by rules: it keeps projects apart, forwards published ports
by a program, and knows one project's connections when it sees the other's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.compose_projects import Project, hosts_of_one_engine
from tests.support.kubectl import Kubectl, eventually
from tests.support.product_image import NAMED
from tests.support.requirements import compose_command, need
from tests.support.two_hosts import MANIFEST, NODES

pytestmark = [pytest.mark.cluster, pytest.mark.docker, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]


class Both(NamedTuple):
    """A cluster on both hosts, and the second of them."""

    kubectl: Kubectl
    second: Project


@pytest.fixture(scope="module")
def both(product_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """A cluster on both hosts."""
    need("docker", "cni", "kubectl", "compose")
    command = compose_command("compose-v2") or compose_command("compose")
    with hosts_of_one_engine() as hosts, contextlib.ExitStack() as downs:
        settings = {
            **NAMED,
            "KUBARIUM_PROFILE": "fast",
            "KUBARIUM_HTTP": "127.0.0.1:18080",
            "KUBARIUM_HTTPS": "127.0.0.1:18443",
        }
        files = ["docker-compose.yml", "docker-compose.hosts.yml"]
        first = Project(command, "kubarium-one", files, {**settings, "KUBARIUM_LISTEN": hosts.first})
        downs.callback(first.down)
        first.run("up", "-d")
        kubectl = Kubectl(ROOT / ".compose" / "kubeconfig")
        eventually(lambda: ready(kubectl) == 3, what="three nodes")
        said = first.run(
            "exec", "-T", "apiserver", "/opt/kubarium/bin/python", "-m", "kubarium.machine", "token"
        )
        told = dict(line.split("=", 1) for line in said.splitlines())
        second = Project(
            command,
            "kubarium-two",
            ["docker-compose.join.yml"],
            {**told, **NAMED, "KUBARIUM_LISTEN": hosts.second, "KUBARIUM_NAME": "compose-two"},
        )
        downs.callback(second.down)
        second.run("up", "-d")
        downs.enter_context(hosts.as_two(first, second))
        eventually(lambda: ready(kubectl) == 5, what="the second host's nodes")
        manifest = tmp_path_factory.mktemp("web") / "web.yaml"
        manifest.write_text("".join(MANIFEST.format(name=name, node=node) for node, name in NODES.items()))
        kubectl("apply", "-f", str(manifest))
        kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=180s", timeout_s=200)
        yield Both(kubectl, second)


@pytest.fixture
def kubectl(both: Both) -> Kubectl:
    """Kubectl of the first host."""
    return both.kubectl


def ready(kubectl: Kubectl) -> int:
    """Return how many nodes are Ready."""
    return kubectl.run("get", "nodes", "--no-headers").out.count(" Ready ")


def test_the_second_hosts_nodes_are_in_the_address_plan(kubectl: Kubectl) -> None:
    """As those of the second of two machines."""
    told = kubectl(
        "get", "nodes", "-o", "custom-columns=N:.metadata.name,A:.status.addresses[0].address", "--no-headers"
    )
    assert dict(line.split() for line in told.splitlines()) == {
        "node-1": "10.77.200.11",
        "node-2": "10.77.200.12",
        "node-3": "10.77.200.13",
        "node-2-1": "10.77.200.36",
        "node-2-2": "10.77.200.37",
    }


@pytest.mark.parametrize(("whence", "whither"), [("web-1", "web-2"), ("web-2", "web-1")])
def test_pods_reach_each_other_across_hosts(kubectl: Kubectl, whence: str, whither: str) -> None:
    """By address, by name, and with packets as large as they come."""
    address = kubectl("get", "pod", whither, "-o", "jsonpath={.status.podIP}")
    for url in (f"{address}:8080", f"{whither}:8081"):
        fetch = ("exec", whence, "--", "wget", "-qO-", f"http://{url}/index.html")
        eventually(lambda fetch=fetch: kubectl.run(*fetch).out == f"{whither}\n", what=url)  # type: ignore[misc]
    count = ["exec", whence, "--", "sh", "-c", f"wget -qO- http://{address}:8080/big | wc -c"]
    assert kubectl(*count).strip() == str(2 << 20)


def test_logs_come_from_the_other_host(kubectl: Kubectl) -> None:
    """The apiserver trusts the certificate that the kubelet there asked for."""
    eventually(lambda: "serving" in kubectl.run("logs", "web-2").out, what="what web-2 says")


def test_the_second_host_leaves(both: Both) -> None:
    """With its nodes, once they are off; while they are on they would come again, and it says what to do."""
    leave = ("exec", "-T", "tunnel", "/opt/kubarium/bin/python", "-m", "kubarium.machine", "leave")
    with pytest.raises(AssertionError, match="`stop node-1 node-2` first"):
        both.second.run(*leave)
    both.second.run("stop", "node-1", "node-2")
    assert "node-2-1, node-2-2 left" in both.second.run(*leave)
    assert both.second.run(*leave)  # what is done stays done
    names = both.kubectl("get", "nodes", "-o", "name").split()
    assert names == ["node/node-1", "node/node-2", "node/node-3"]

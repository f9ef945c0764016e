"""A cluster of two machines: two network namespaces stand for them, and VXLAN joins their nodes."""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.hosts import Host, two_hosts
from tests.support.kubectl import eventually, find_kubectl
from tests.support.requirements import need
from tests.support.two_hosts import MANIFEST, NODES

pytestmark = pytest.mark.cluster

DENY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny}
spec: {podSelector: {matchLabels: {app: web-2}}, policyTypes: [Ingress]}
"""
FIRST, SECOND = "one", "two"  # what the cluster is called on either machine


@dataclass(frozen=True, slots=True)
class Machines:
    """Both of them, with a cluster."""

    first: Host
    second: Host
    invitation: str

    def kubectl(self, *argv: str) -> str:
        """Run kubectl on the first."""
        program = find_kubectl()
        assert program
        return self.first.run(program, f"--kubeconfig={self.first.home / FIRST / 'kubeconfig'}", *argv)

    def join(self, **other: str) -> list[str]:
        """Return the words that `token create` printed, those of some options replaced."""
        words = shlex.split(self.invitation)[1:]
        for option, value in other.items():
            words[words.index(f"--{option.replace('_', '-')}") + 1] = value
        return [*words, "--name", SECOND]


@pytest.fixture(scope="module")
def machines(images: None) -> Iterator[Machines]:
    """A cluster with a node on each machine."""
    need("etcd", "docker", "cni", "kubectl")
    folder = Path(tempfile.mkdtemp(prefix="kb-", dir="/tmp"))
    try:
        with two_hosts(folder) as (first, second), contextlib.ExitStack() as downs:
            downs.callback(first.kubarium, "down", "--all")
            listen = ["--listen", first.address, "--ip-families", "ipv4,ipv6"]
            first.kubarium("up", "--name", FIRST, "--nodes", "1", "--runtime", "docker", *listen)
            invitation = first.kubarium("token", "create", "--name", FIRST).strip()
            made = Machines(first, second, invitation)
            downs.callback(second.kubarium, "down", "--all")
            second.kubarium(*made.join())
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def pods(machines: Machines) -> dict[str, list[str]]:
    """A web server with a Service on each; return their addresses of both families by name."""
    manifest = machines.first.home / "web.yaml"
    manifest.write_text("".join(MANIFEST.format(name=name, node=node) for node, name in NODES.items()))
    machines.kubectl("apply", "-f", str(manifest))
    machines.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=180s")
    shown = "jsonpath={.status.podIPs[*].ip}"
    return {name: machines.kubectl("get", "pod", name, "-o", shown).split() for name in NODES.values()}


def test_a_machine_that_is_not_meant_is_not_joined(machines: Machines) -> None:
    """Another authority, a token with another secret half, one that there is not: each is refused with the reason."""
    wrong = f"sha256:{'0' * 64}"
    said = machines.second.kubarium(*machines.join(ca_hash=wrong), "--name", "other", fails=True)
    assert f"its authority is another one than --ca-hash {wrong} says" in said
    token = machines.join()[machines.join().index("--token") + 1]
    forged = f"{token.partition('.')[0]}.{'0' * 16}"
    said = machines.second.kubarium(*machines.join(token=forged), "--name", "other", fails=True)
    assert "does not know the token's secret half" in said
    said = machines.second.kubarium(*machines.join(token=f"zzzzzz.{'0' * 16}"), "--name", "other", fails=True)
    assert "the cluster knows no token zzzzzz" in said
    said = machines.second.kubarium(*machines.join(), fails=True)
    assert f'there is a cluster "{SECOND}" on this machine: `kubarium leave --name {SECOND}` ends it' in said


def test_nodes_of_both_machines_are_ready(machines: Machines) -> None:
    """Each says on which machine it is, and they have pod ranges of their own."""
    shown = "jsonpath={range .items[*]}{.metadata.name} {.metadata.labels.kubarium\\.dev/machine-address} {.spec.podCIDR} {end}"
    words = machines.kubectl("get", "nodes", "-o", shown).split()
    assert dict(zip(words[::3], words[1::3], strict=True)) == {
        "node-1": machines.first.address,
        "node-2-1": machines.second.address,
    }
    assert len(set(words[2::3])) == 2
    machines.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=180s")


def test_either_machine_reaches_all_nodes_by_both_families(machines: Machines) -> None:
    """From an address of its own on the backbone."""
    shown = "jsonpath={.items[*].status.addresses[?(@.type=='InternalIP')].address}"
    addresses = machines.kubectl("get", "nodes", "-o", shown).split()
    assert sorted(":" in each for each in addresses) == [False, False, True, True]
    for host in (machines.first, machines.second):
        for address in addresses:
            ping = ("busybox", "ping", "-c", "1", "-W", "5", address)
            eventually(lambda host=host, ping=ping: _works(host.run, *ping), what=address)  # type: ignore[misc]


@pytest.mark.parametrize(("whence", "whither"), [("web-1", "web-2"), ("web-2", "web-1")])
def test_pods_reach_each_other_across_machines(
    machines: Machines, pods: dict[str, list[str]], whence: str, whither: str
) -> None:
    """By address, by ClusterIP, by name; and with packets as large as they come; by either family."""
    shown = "jsonpath={.spec.clusterIPs[*]}"
    cluster_ips = machines.kubectl("get", "service", whither, "-o", shown).split()
    assert (len(pods[whither]), len(cluster_ips)) == (2, 2)
    doors = [*((each, 8080) for each in pods[whither]), *((each, 8081) for each in (*cluster_ips, whither))]
    for host, port in doors:
        url = f"http://{_in_url(host)}:{port}/index.html"
        fetch = ("exec", whence, "--", "wget", "-qO-", url)
        eventually(lambda fetch=fetch: _works(machines.kubectl, *fetch, said=f"{whither}\n"), what=url)  # type: ignore[misc]
    for address in pods[whither]:
        count = f"wget -qO- http://{_in_url(address)}:8080/big | wc -c"
        assert machines.kubectl("exec", whence, "--", "sh", "-c", count).strip() == str(2 << 20)
        ping = ("exec", whence, "--", "ping", "-c", "1", "-W", "5", address)
        eventually(lambda ping=ping: _works(machines.kubectl, *ping), what=address)  # type: ignore[misc]


def _works(run: Callable[..., str], *argv: str, said: str = "") -> bool:
    """Whether a command succeeds, and prints what it is expected to."""
    try:
        return run(*argv) == said if said else bool(run(*argv) or True)
    except AssertionError:  # what it goes to may not be known everywhere yet
        return False


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def test_logs_come_from_the_other_machine(machines: Machines, pods: dict[str, list[str]]) -> None:
    """The apiserver trusts the certificate that the kubelet there asked for."""
    assert pods
    eventually(lambda: "serving" in machines.kubectl("logs", "web-2"), what="what web-2 says")


def way(machines: Machines, *asked: str) -> dict[str, Any]:
    """Return the only way that `kubarium net` on the first machine finds; "end" is "unknown" where a node did not say in time."""
    command = [sys.executable, "-m", "kubarium", "net", "--name", FIRST, "-o", "json", *asked]
    is_lost_or_not = f"{shlex.join(command)} || [ $? = 1 ]"
    said = machines.first.run("sh", "-c", is_lost_or_not)
    if not said:
        return {"end": "unknown"}
    [destination] = json.loads(said)["destinations"]
    [only] = destination["ways"]
    return dict(only)


@pytest.mark.parametrize(
    ("whence", "whither", "nodes"),
    [("web-1", "web-2", ["node-1", "node-2-1"]), ("web-2", "web-1", ["node-2-1", "node-1"])],
)
@pytest.mark.parametrize("family", [(), ("-6",)])
def test_packets_are_followed_through_rules_of_both_machines(
    machines: Machines,
    pods: dict[str, list[str]],
    whence: str,
    whither: str,
    nodes: list[str],
    family: tuple[str, ...],
) -> None:
    """From a pod on either through a Service to the other's: the kubelet there shows what its kernel has."""
    asked = [f"service/{whither}", "--from", f"pod/{whence}", *family]

    def arriving() -> dict[str, Any]:
        found = way(machines, *asked)
        return found if found["end"] == "arrives" else {}

    found = eventually(arriving)  # rules follow the API
    assert found["pod"] == f"default/{whither}", found
    address = pods[whither][bool(family)]
    places = list(dict.fromkeys(hop["place"] for hop in found["hops"]))
    assert places == [f"pod default/{whence}", *nodes, f"pod default/{whither}"]
    assert any(
        address in f"{rule['rule']} {rule['found']}" for hop in found["hops"] for rule in hop["rules"]
    ), found


def test_a_policy_on_the_other_machine_is_seen_to_drop(
    machines: Machines, pods: dict[str, list[str]]
) -> None:
    """By the rules that stand in that machine's kernel, and no longer once the policy is gone."""
    assert pods
    manifest = machines.first.home / "deny.yaml"
    manifest.write_text(DENY)
    machines.kubectl("apply", "-f", str(manifest))
    try:
        asked = ["service/web-2", "--from", "pod/web-1"]
        eventually(lambda: way(machines, *asked).get("loss") == "dropped on node-2-1")
    finally:
        machines.kubectl("delete", "-f", str(manifest))
    eventually(lambda: way(machines, *asked)["end"] == "arrives")


def peers(machines: Machines, cluster: str) -> list[str]:
    """Return to whom the tunnel sends what is for somebody unknown."""
    entries = machines.first.run("bridge", "-n", f"kubarium-{cluster}", "fdb", "show", "dev", "tunnel")
    everybody = [line.split() for line in entries.splitlines() if line.startswith("00:00:00:00:00:00")]
    return [words[words.index("dst") + 1] for words in everybody]


def test_the_other_machine_is_a_peer_of_the_tunnel(machines: Machines) -> None:
    """In the forwarding database of either, and nobody else."""
    eventually(lambda: peers(machines, FIRST) == [machines.second.address])
    eventually(lambda: peers(machines, SECOND) == [machines.first.address])


def test_a_node_is_added_and_taken_out_on_the_machine_that_joined(machines: Machines) -> None:
    """It asks for its own certificates, and deletes its own Node."""
    said = machines.second.kubarium("node", "add", "--name", SECOND)
    assert said.startswith("node-2-2 is Ready")
    machines.second.kubarium("node", "rm", "--name", SECOND, "node-2-2")
    assert machines.kubectl("get", "nodes", "-o", "name").split() == ["node/node-1", "node/node-2-1"]


def test_a_machine_that_was_off_comes_back(machines: Machines, pods: dict[str, list[str]]) -> None:
    """With its nodes and their certificates, and with what runs on them; so does the process that keeps its peers."""
    machines.second.kubarium("stop", "--name", SECOND)
    machines.second.kubarium("start", "--name", SECOND)
    machines.second.kubarium("kill", "--restart", "--name", SECOND, "tunnel")
    machines.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=180s")

    def answers() -> bool:
        fetch = ["exec", "web-1", "--", "wget", "-qO-", "http://web-2:8081/index.html"]
        with contextlib.suppress(AssertionError):  # what it goes to may not be back yet
            return machines.kubectl(*fetch) == "web-2\n"
        return False

    assert pods
    eventually(answers)
    eventually(lambda: peers(machines, SECOND) == [machines.first.address])


def test_a_machine_leaves_and_comes_again(machines: Machines) -> None:
    """Its nodes are gone from the cluster, and it from the tunnel; then it has the number that it had."""
    machines.second.kubarium("leave", "--name", SECOND)
    assert machines.kubectl("get", "nodes", "-o", "name").split() == ["node/node-1"]

    eventually(lambda: not peers(machines, FIRST))
    machines.second.kubarium(*machines.join(), "--nodes", "2")
    assert machines.kubectl("get", "nodes", "-o", "name").split() == [
        "node/node-1",
        "node/node-2-1",
        "node/node-2-2",
    ]

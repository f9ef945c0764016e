"""A pod's network by real CNI plugins: rates, another plugin in the bridge's place, what is broken, what is left over."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from machinery.pb import cri_pb2 as cri
from machinery.process.clock import WALL
from machinery.rpc.status import Code, RpcError
from tests.support.cri_servers import Behaviour, Cri, CriServer, connected, dockershim_server
from tests.support.netns import inside
from tests.support.waiting import until

pytestmark = pytest.mark.docker

BYTES = 2 << 20
INGRESS_BPS, EGRESS_BPS = 8_000_000, 16_000_000
BURST_S = 0.1  # of a rate that may pass at once
WEB = Behaviour(
    f"dd if=/dev/zero of=/tmp/big bs=1024 count={BYTES >> 10} 2>/dev/null; echo here >/tmp/index.html; httpd -f -p 8080 -h /tmp"
)
PTP = Path(__file__).parents[3] / "examples" / "ptp.conflist"


@pytest.fixture(scope="module")
def server() -> Iterator[CriServer]:
    """A dockershim of these tests' own, with a folder for configurations."""
    with dockershim_server() as made:
        made.stop()
        made.flags = (f"--cni-conf-dirs={made.folder / 'net.d'}",)
        made.start()
        yield made


@pytest.fixture
async def shim(server: CriServer) -> AsyncIterator[Cri]:
    """Its client; configurations of a test go with it."""
    folder = server.folder / "net.d"
    folder.mkdir(exist_ok=True)
    async with connected(server) as client:
        await client.use_pod_range()
        try:
            yield client
        finally:
            for file in folder.iterdir():
                file.unlink()


def in_node(shim: Cri, *argv: str) -> str:
    """Run a command on the node's network."""
    return run("nsenter", f"--net=/run/netns/{shim.server.namespace}", *argv)


def run(*argv: str) -> str:
    """Run a command."""
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


async def web(shim: Cri, **fields: Any) -> tuple[str, str, str]:
    """Run a web server; return its sandbox, its container and its address."""
    sandbox = await shim.run_sandbox(**fields)
    container = await shim.create(sandbox, WEB)
    await shim.call("StartContainer", container_id=container)
    address = (await shim.sandbox_status(sandbox[0])).network.ip

    async def serves() -> bool:
        return await fetched(shim, container, "127.0.0.1", "index.html") == b"here\n"

    await until(serves)
    return sandbox[0], container, address


async def fetched(shim: Cri, container: str, address: str, file: str, output: str = "-") -> bytes:
    """Fetch a file from a web server, as a container does."""
    command = ["wget", "-qO", output, f"http://{address}:8080/{file}"]
    return bytes((await shim.call("ExecSync", container_id=container, cmd=command, timeout=30)).stdout)


async def fetching_s(
    shim: Cri, container: str, address: str, *, least_s: float = 0.0, most_s: float
) -> float:
    """Return how long the large file takes: never less than so long, and soon no more than the most."""

    async def in_time() -> float:
        began = WALL.monotonic_wall()
        await fetched(shim, container, address, "big", "/dev/null")
        took_s = WALL.monotonic_wall() - began
        assert took_s > least_s
        return took_s if took_s < most_s else 0.0  # others may have had the processors

    return await until(in_time, within_s=150)


async def test_a_pod_sends_and_receives_as_fast_as_its_annotations_say(shim: Cri):
    """Each direction at its own rate, measured on 2 MiB; a pod without annotations is not held to any."""
    annotations = {"kubernetes.io/ingress-bandwidth": "8M", "kubernetes.io/egress-bandwidth": "16M"}
    _, slow, slow_address = await web(shim, annotations=annotations)
    _, fast, fast_address = await web(shim)
    _, other, _ = await web(shim)
    in_s, out_s = (BYTES * 8 / rate_bps - BURST_S for rate_bps in (INGRESS_BPS, EGRESS_BPS))
    free_s = await fetching_s(shim, other, fast_address, most_s=0.8 * out_s)
    received_s = await fetching_s(shim, slow, fast_address, least_s=0.95 * in_s, most_s=2 * in_s + free_s)
    sent_s = await fetching_s(shim, fast, slow_address, least_s=0.95 * out_s, most_s=2 * out_s + free_s)
    print(f"2 MiB: {free_s:.2f} s without limits, {received_s:.2f} s in at 8M, {sent_s:.2f} s out at 16M")


async def test_a_limited_pod_leaves_no_device(shim: Cri):
    """The one that its packets went through goes with it, also when dockershim is started again in between."""
    before = in_node(shim, "ip", "-o", "link", "show", "type", "ifb")
    sandbox, _ = await shim.run_sandbox(annotations={"kubernetes.io/egress-bandwidth": "1M"})
    assert in_node(shim, "ip", "-o", "link", "show", "type", "ifb") != before
    shim.server.kill()
    shim.server.start()
    await shim.call("RemovePodSandbox", pod_sandbox_id=sandbox)
    assert in_node(shim, "ip", "-o", "link", "show", "type", "ifb") == before


async def test_a_rate_that_cannot_be_leaves_no_sandbox(shim: Cri):
    """It is refused with its annotation."""
    with pytest.raises(RpcError, match=r"kubernetes\.io/ingress-bandwidth: .* not 1") as caught:
        await shim.run_sandbox(annotations={"kubernetes.io/ingress-bandwidth": "1"})
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert not (await shim.call("ListPodSandbox")).items


async def test_a_datagram_reaches_the_pod_by_a_port_of_the_node(shim: Cri):
    """At the address that it is for, and at no other one of the node's."""
    in_node(shim, "ip", "address", "replace", "10.88.7.1/32", "dev", "lo")
    mapping = cri.PortMapping(container_port=8081, host_port=18073, protocol=cri.UDP, host_ip="10.88.7.1")
    (sandbox, _), (other, _) = await shim.run_sandbox(port_mappings=[mapping]), await shim.run_sandbox()
    with await udp_socket(shim, sandbox) as receiver, await udp_socket(shim, other) as sender:
        receiver.bind(("0.0.0.0", 8081))
        for address, word in (("10.88.5.1", b"elsewhere"), ("10.88.7.1", b"there")):
            sender.sendto(word, (address, 18073))
        assert receiver.recv(100) == b"there"


async def udp_socket(shim: Cri, sandbox: str) -> socket.socket:
    """Make a socket on a pod's network."""
    info = (await shim.call("PodSandboxStatus", pod_sandbox_id=sandbox, verbose=True)).info["info"]
    name = f"{shim.server.namespace}-{sandbox[:8]}"
    run("ip", "netns", "attach", name, str(json.loads(info)["pid"]))
    try:
        made = inside(name, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    finally:
        run("ip", "netns", "delete", name)
    made.settimeout(60)
    return made


async def test_another_plugin_takes_the_bridges_place(shim: Cri):
    """Its pods reach each other and the node; each is taken from the network that it was added to, whatever the file says by then."""
    file = shim.server.folder / "net.d" / "10-ptp.conflist"
    file.write_text(PTP.read_text())
    mapped = [cri.PortMapping(container_port=8080, host_port=18070)]
    sandbox, new, new_address = await web(shim, port_mappings=mapped)
    assert new_address in in_node(
        shim, "ip", "route", "show", new_address
    )  # a route of its own, to its own link
    in_node(shim, "sysctl", "-qw", "net.ipv4.ip_forward=1")
    _, other, other_address = await web(shim)
    assert await fetched(shim, other, new_address, "index.html") == b"here\n"
    assert await fetched(shim, new, other_address, "index.html") == b"here\n"
    assert in_node(shim, "busybox", "wget", "-qO-", f"http://{new_address}:8080/index.html") == "here\n"
    assert "18070" in in_node(shim, "iptables-save")
    file.unlink()
    await shim.call("RemovePodSandbox", pod_sandbox_id=sandbox)
    assert not in_node(shim, "ip", "route", "show", new_address)
    assert "18070" not in in_node(shim, "iptables-save")


async def test_a_configuration_that_is_wrong_is_named(shim: Cri):
    """With file and field; the node says that its network is not ready until it is put right."""
    file = shim.server.folder / "net.d" / "10-mine.conflist"
    file.write_text(json.dumps({"cniVersion": "1.0.0", "name": "mine", "plugins": [{"type": "no-such"}, {}]}))
    assert await network_problem(shim) == f"{file}: plugins[1].type: is needed"
    with pytest.raises(RpcError, match=r"10-mine\.conflist: plugins\[1\]\.type: is needed"):
        await shim.run_sandbox()
    file.write_text(json.dumps({"cniVersion": "1.0.0", "name": "mine", "plugins": [{"type": "no-such"}]}))
    assert "no-such are not installed" in await network_problem(shim)
    file.write_text(json.dumps({"cniVersion": "1.0.0", "name": "mine", "plugins": [{"type": "loopback"}]}))
    with pytest.raises(RpcError, match=r"capability portMappings, and .*10-mine\.conflist has none"):
        await shim.run_sandbox(port_mappings=[cri.PortMapping(container_port=80, host_port=18071)])
    file.unlink()
    assert not await network_problem(shim)
    assert not (await shim.call("ListPodSandbox")).items


async def network_problem(shim: Cri) -> str:
    """Return what the runtime says is wrong with the network."""
    conditions = (await shim.call("Status")).status.conditions
    [ready] = [each for each in conditions if each.type == "NetworkReady"]
    assert ready.status == (not ready.message)
    return str(ready.message)


async def test_a_pod_whose_network_is_broken_is_not_ready(shim: Cri):
    """A dockershim that starts has the plugins check: the pod that lost its link, the one that its port no longer leads to, no other.

    The node has a table for IPv6, in which portmap would look for rules of pods without an address of it.
    """
    in_node(shim, "ip6tables", "-t", "nat", "-A", "OUTPUT", "-j", "RETURN")
    limited = {
        "kubernetes.io/ingress-bandwidth": "8M",
        "kubernetes.io/egress-bandwidth": "8M",
    }
    whole, _ = await shim.run_sandbox(
        annotations=limited, port_mappings=[cri.PortMapping(container_port=80, host_port=18072)]
    )
    broken, _ = await shim.run_sandbox()
    unmapped, _ = await shim.run_sandbox(port_mappings=[cri.PortMapping(container_port=80, host_port=18073)])
    info = (await shim.call("PodSandboxStatus", pod_sandbox_id=broken, verbose=True)).info["info"]
    run("nsenter", "-t", str(json.loads(info)["pid"]), "--net", "ip", "link", "delete", "eth0")
    rules = in_node(shim, "iptables", "-t", "nat", "-S", "CNI-HOSTPORT-DNAT").splitlines()
    [number] = [at for at, rule in enumerate(rules) if "--dports 18073" in rule]  # after the chain's own line
    in_node(shim, "iptables", "-t", "nat", "-D", "CNI-HOSTPORT-DNAT", str(number))
    shim.server.kill()
    shim.server.start()

    async def is_seen() -> bool:
        states = [(await shim.sandbox_status(each)).state for each in (broken, unmapped)]
        return states == [cri.SANDBOX_NOTREADY] * 2

    await until(is_seen)
    assert (await shim.sandbox_status(whole)).state == cri.SANDBOX_READY, shim.server.log.read_text()
    assert "network_not_checked" not in shim.server.log.read_text()
    for each in (broken, unmapped):
        await shim.call("RemovePodSandbox", pod_sandbox_id=each)


@pytest.mark.parametrize("broken", ["link delete eth0", "link set eth0 down", "address flush dev eth0"])
async def test_a_network_that_breaks_later_is_noticed(shim: Cri, broken: str):
    """By the end of the pod's link on the node, at once; what the node does not see of it by the next CHECK at rest."""
    shim.server.stop()
    flags = shim.server.flags
    is_seen_at_once = "link" in broken
    shim.server.flags = (*flags, f"--network-check-s={0 if is_seen_at_once else 0.01}")
    shim.server.start()
    try:
        sandbox, _ = await shim.run_sandbox()
        info = (await shim.call("PodSandboxStatus", pod_sandbox_id=sandbox, verbose=True)).info["info"]
        run("nsenter", "-t", str(json.loads(info)["pid"]), "--net", "ip", *broken.split())

        async def is_seen() -> bool:
            return (await shim.sandbox_status(sandbox)).state == cri.SANDBOX_NOTREADY

        await until(is_seen)
        await shim.call("RemovePodSandbox", pod_sandbox_id=sandbox)
    finally:
        shim.server.stop()
        shim.server.flags = flags
        shim.server.start()


async def test_pods_of_any_rate_stay_ready_when_they_are_checked(shim: Cri):
    """What the kernel rounds is not called broken."""
    made = {}
    for rate in ("1k", "3333k", "1.5M", "2Mi", "1G", "33G", "40G", "1P"):
        annotations = {
            "kubernetes.io/ingress-bandwidth": rate,
            "kubernetes.io/egress-bandwidth": rate,
        }
        made[rate] = (await shim.run_sandbox(annotations=annotations))[0]
    shim.server.kill()
    before = shim.server.log.read_text().count("networks_checked")
    shim.server.start()
    await until(lambda: shim.server.log.read_text().count("networks_checked") > before)
    found = {rate: (await shim.sandbox_status(sandbox)).state for rate, sandbox in made.items()}
    assert found == dict.fromkeys(made, cri.SANDBOX_READY), shim.server.log.read_text()


async def test_what_sandboxes_left_behind_is_freed_at_the_next_start(shim: Cri):
    """One that somebody removed by hand while dockershim was away keeps no address; nor does a plugin of CNI 1.1 keep others."""
    calls, plugins = shim.server.folder / "calls", shim.server.folder / "bin"
    plugins.mkdir()
    recorder = plugins / "recorder"
    recorder.write_text(
        f'#!/bin/sh\nprintf "%s %s\\n" "$CNI_COMMAND" "$(tr -d "\\n")" >>{calls}\n'
        '[ "$CNI_COMMAND" != ADD ] || echo \'{"cniVersion":"1.1.0","ips":[{"address":"10.88.5.77/24"}]}\'\n'
    )
    recorder.chmod(0o755)
    conf = {"cniVersion": "1.1.0", "name": "kept", "plugins": [{"type": "recorder"}]}
    flags = shim.server.flags
    shim.server.stop()
    shim.server.flags = (*flags, f"--cni-bin-dirs={plugins},/opt/cni/bin,/usr/lib/cni")
    shim.server.start()
    held = shim.server.folder / "state" / "cni" / "kubarium"
    gone, _ = await shim.run_sandbox()
    addresses = {path.name for path in held.glob("10.*")}
    (shim.server.folder / "net.d" / "10-kept.conflist").write_text(json.dumps(conf))
    kept, _ = await shim.run_sandbox()
    shim.server.kill()
    run("docker", "rm", "-f", gone)
    shim.server.start()
    await until(lambda: "GC" in calls.read_text())
    assert addresses
    assert not addresses & {path.name for path in held.glob("10.*")}
    [told] = [json.loads(line[3:]) for line in calls.read_text().splitlines() if line.startswith("GC ")]
    assert told["cni.dev/valid-attachments"] == [{"containerID": kept, "ifname": "eth0"}]
    await until(lambda: "CHECK" in calls.read_text())
    await shim.call("RemovePodSandbox", pod_sandbox_id=kept)
    assert "DEL" in calls.read_text()
    shim.server.stop()
    shim.server.flags = flags
    shim.server.start()

"""The pages about a node's network, of real network namespaces, read back as `kubarium net` reads them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest

from kubarium.core.net.listings import read_host, read_wire
from kubelet.network_pages import NetworkPages
from kubelet.pages import Page, Pages, pieces
from machinery.model.errors import ApiError, MethodNotSupported, NotFound, NotImplementedHere
from machinery.model.k8s.core_v1 import PodIP
from machinery.model.node_network import NodeNetwork, PodNetwork, node_page, pod_page
from tests.support.builders import changed, pod
from tests.support.requirements import need

IPS = ("10.244.77.2", "fd00:10:244:77::2")


@pytest.fixture
def wired() -> Iterator[int]:
    """A process in a network namespace with two addresses, wired to the test's own; its number."""
    need("netns")
    name = f"kb-np{os.getpid()}"
    own, other = f"kbnp{os.getpid() % 10**7}", "eth0"
    with ExitStack() as undone:
        _ip("netns", "add", name)
        undone.callback(_ip, "netns", "delete", name)
        _ip("link", "add", own, "type", "veth", "peer", "name", other, "netns", name)
        for address in (f"{IPS[0]}/24", f"{IPS[1]}/64"):
            _ip("-n", name, "address", "add", address, "dev", other)
        inside = ["nsenter", f"--net=/run/netns/{name}"]
        process = subprocess.Popen([*inside, "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        undone.callback(process.wait)
        assert process.stdin
        assert process.stdout
        undone.callback(process.stdin.close)
        process.stdin.write(b"inside\n")  # nsenter has become the command, in the namespace
        process.stdin.flush()
        assert process.stdout.readline() == b"inside\n"
        undone.callback(process.stdout.close)
        yield process.pid


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def pages(process: int = 0, *, is_simulated: bool = False) -> NetworkPages:
    """Return the pages of a node with a pod whose sandbox has a process, and one on the node's own network."""

    async def process_of(sandbox: str) -> int:
        assert sandbox == "sandbox-of-uid-default-web"
        return process

    ips = [PodIP(ip=ip) for ip in IPS]
    wired = changed(pod("web", "default"), status__podIPs=ips)
    on_host = changed(
        pod("agent", "default"), spec__hostNetwork=True, status__podIPs=[PodIP(ip="10.77.0.11"), *ips]
    )
    return NetworkPages(
        lambda: [on_host, wired],
        lambda uid: f"sandbox-of-{uid}",
        process_of,
        is_simulated=lambda: is_simulated,
    )


@pytest.mark.parametrize("is_6", [False, True])
async def test_what_a_pod_hangs_on_is_shown_by_either_family(wired: int, *, is_6: bool) -> None:
    """Its interface, and the link of the node at the other end of its cable."""
    body = await pages(wired).read(pod_page(IPS[is_6]))
    wire = read_wire(IPS[is_6], msgspec.json.decode(body, type=PodNetwork))
    assert (wire.interface, wire.bridge, wire.doors) == ("eth0", "", frozenset())
    assert wire.veth == f"kbnp{os.getpid() % 10**7}"


async def test_the_network_that_a_kubelet_is_in_is_shown() -> None:
    """Addresses and listening sockets, as the kernel has them now; JSON for people, too."""
    need("netns")
    with socket.create_server(("127.0.0.1", 0)) as server:
        body = await pages().read(node_page(is_6=False))
        host = read_host("n", msgspec.json.decode(body, type=NodeNetwork))
        assert ("tcp", server.getsockname()[1]) in host.doors
    assert "127.0.0.1" in host.addresses
    assert {"addresses", "routes", "links", "sockets", "sees_bridged"} <= json.loads(body).keys()


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("network", NotFound),
        ("network/ipv5", NotFound),
        ("network/pods/somebody", NotFound),
        ("network/pods/10.244.77.3", NotFound),  # nobody's
        ("network/pods/10.77.0.11", NotFound),  # a pod's that has no network of its own
        ("network/pods/10.244.77.2", NotFound),  # its sandbox has no process
    ],
)
async def test_what_there_is_no_page_about(path: str, error: type[ApiError]) -> None:
    """Other words, and pods that are not there or have no network of their own."""
    with pytest.raises(error):
        await pages().read(path)


async def test_a_simulated_node_has_no_network_to_show() -> None:
    """The machine's own is not the node's."""
    with pytest.raises(NotImplementedHere, match="simulated"):
        await pages(is_simulated=True).read(node_page(is_6=False))


async def test_they_are_among_the_pages_of_a_kubelet() -> None:
    """They can only be read; a large one goes in pieces, which are it."""

    async def network(path: str) -> bytes:
        return path.encode() * 20_000

    nothing: Any = None
    own = Pages(**dict.fromkeys(Pages.__dataclass_fields__, nothing) | {"network": network})
    page = await own.page("GET", "/network/ipv4")
    assert (page.content_type, page.body) == ("application/json", b"network/ipv4" * 20_000)
    parts = [part async for part in pieces(page)]
    assert (b"".join(parts), max(map(len, parts)) <= 64 * 1024) == (page.body, True)
    assert [part async for part in pieces(Page("text/plain", b""))] == [b""]
    with pytest.raises(MethodNotSupported):
        await own.page("POST", "/network/ipv4")

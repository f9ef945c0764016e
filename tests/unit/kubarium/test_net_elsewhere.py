"""What is known of nodes on other machines: as much as their kubelets say, and why no more."""

from __future__ import annotations

from typing import Any

import msgspec

from kubarium.core.net.scene import PodPlace, Wire
from kubarium.net.elsewhere import look_elsewhere
from machinery.model.errors import ApiError, Forbidden, NotFound, Unavailable
from machinery.model.node_network import NodeNetwork, PodNetwork, node_page, pod_page
from tests.support.builders import node

SOCKETS = {"tcp": ["header\n 0: 00000000:1F90 00000000:0000 0A"], "udp": [""]}


def link(name: str, address: str = "", **fields: Any) -> dict[str, Any]:
    """Return an interface as `ip -j address` has it."""
    info = [{"family": "inet", "local": address}] if address else []
    return {"ifname": name, "flags": ["UP", "LOWER_UP"], "addr_info": info, **fields}


NODE = NodeNetwork(
    addresses=[link("eth0", "10.77.0.36")],
    routes=[{"dst": "default", "gateway": "10.77.0.9", "dev": "eth0"}],
    links=[link("eth0")],
    sockets=SOCKETS,
    sees_bridged=False,
)
POD = PodNetwork(
    addresses=[link("eth0", "10.244.3.2", link_index=7)],
    sockets=SOCKETS,
    node_links=[link("veth7", ifindex=7, master="cni0")],
)


class Kubelets:
    """Answers for nodes, by node and page; what is not there is refused."""

    def __init__(self, pages: dict[tuple[str, str], Any]) -> None:
        self._pages = pages

    async def ask_node(self, name: str, method: str, path: str, *, timeout_s: float) -> bytes:
        """Return a page."""
        assert (method, timeout_s > 0) == ("Get", True)
        answer = self._pages.get((name, path), NotFound("404 page not found"))
        if isinstance(answer, ApiError | TimeoutError):
            raise answer
        return answer if isinstance(answer, bytes) else msgspec.json.encode(answer)


async def test_nodes_are_known_as_far_as_they_say() -> None:
    """One that answers; others with the reason why not, in words."""
    kubelets: Any = Kubelets(
        {
            ("near", node_page(is_6=False)): NODE,
            ("shut", node_page(is_6=False)): Forbidden("you may not"),
            ("slow", node_page(is_6=False)): TimeoutError(),
            ("other", node_page(is_6=False)): b'{"something": "else"}',
        }
    )
    nodes = [node(name) for name in ("near", "shut", "slow", "other")]
    found = await look_elsewhere(kubelets, nodes, [], is_6=False)
    assert list(found.hosts) == ["near"]
    near = found.hosts["near"]
    assert (near.addresses, near.doors, near.sees_bridged) == (
        frozenset({"10.77.0.36"}),
        frozenset({("tcp", 8080)}),
        False,
    )
    assert [route.gateway for route in near.routes] == ["10.77.0.9"]
    assert found.unread["shut"] == "you may not"
    assert found.unread["slow"] == "no answer within 15 s"
    assert found.unread["other"].startswith("its kubelet is of another version")


async def test_pods_are_wired_as_their_nodes_say() -> None:
    """One without a network has no wire; of one that cannot be asked about nothing is claimed; pods of unknown nodes are left out."""
    kubelets: Any = Kubelets(
        {
            ("near", node_page(is_6=False)): NODE,
            ("near", pod_page("10.244.3.2")): POD,
            ("near", pod_page("10.244.3.4")): Unavailable("busy"),
            ("near", pod_page("10.244.3.5")): b"[]",
        }
    )
    pods = [PodPlace("shop", f"pod-{last}", f"10.244.3.{last}", "near") for last in (2, 3, 4, 5)]
    pods.append(PodPlace("shop", "far", "10.244.4.2", "unknown"))
    pods.append(PodPlace("shop", "agent", "10.77.0.36", "near", is_on_host=True))
    found = await look_elsewhere(kubelets, [node("near")], pods, is_6=False)
    assert {pod.name: pod.wire for pod in found.pods} == {
        "pod-2": Wire("cni0", "veth7", "eth0", frozenset({("tcp", 8080)})),
        "pod-3": Wire(),
        "pod-4": Wire(interface="?"),
        "pod-5": Wire(interface="?"),
    }

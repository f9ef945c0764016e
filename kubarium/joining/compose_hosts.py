"""What compose services do where a cluster has two hosts: admit the other one, join, lay the tunnel, take a node's address, leave.

`docker-compose.hosts.yml` is what the first host has besides; `docker-compose.join.yml` is the second one, whose spec and
credentials its service `setup` writes when it was let in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from kubarium.core.components import components
from kubarium.core.compose import HOSTS, JOINED_NODES
from kubarium.core.compose_network import LINK, plan_node_link, plan_tunnel
from kubarium.core.layout import Layout
from kubarium.core.machines import invitation
from kubarium.core.network import backbone_namespace
from kubarium.core.places import ComposePlaces, Places
from kubarium.core.spec import ClusterSpec, NodeSpec, checked
from kubarium.core.spec_rules import SpecError
from kubarium.errors import KubariumError
from kubarium.host.machine_lock import MachineLock
from kubarium.host.network import NAMESPACES, ip_says, run_all
from kubarium.identity.pki import Pki, ensure_certificates

_DAY_S = 24 * 3600.0
_LEAVE_S = 60.0  # wall seconds for each node


def admission_text(places: Places) -> str:
    """Make a token for a day; return the lines of the second host's environment.

    Raises:
        KubariumError: the first host does not listen for another one, or its apiserver does not answer.
    """
    from kubarium.joining.machines import admit_machines

    spec = places.spec
    if not spec.listen:
        raise KubariumError(
            "this host listens for no other: KUBARIUM_LISTEN=ADDRESS, and docker-compose.hosts.yml beside docker-compose.yml"
        )
    told = invitation(spec, door=spec.listen, machines=HOSTS)  # nodes register before a tunnel leads to them
    token, authority_hash = admit_machines(places, told, ttl_s=_DAY_S)
    return (
        f"KUBARIUM_JOIN={spec.listen}:{places.addresses.rest_port}\n"
        f"KUBARIUM_TOKEN={token}\n"
        f"KUBARIUM_CA_HASH={authority_hash}"
    )


def join(environment: Mapping[str, str], layout: Layout[Path]) -> str:
    """Join as the environment says, and write spec and credentials; what was written before stays. Return what was done.

    Raises:
        KubariumError: the first host is not reached, or refuses.
        OSError: the volume cannot be written.
    """
    from kubarium.joining.asking import ask_to_join, write_credentials

    door = environment["KUBARIUM_JOIN"]
    if layout.spec.exists():
        return f"joined {read_joined(layout).joined} before"
    token = environment.get("KUBARIUM_TOKEN", "")
    joined = ask_to_join(
        door,
        token,
        environment.get("KUBARIUM_CA_HASH", ""),
        name=environment.get("KUBARIUM_NAME", ""),
        address=environment.get("KUBARIUM_LISTEN", ""),
    )
    spec = joined.spec
    try:
        for _ in range(JOINED_NODES):
            spec = spec.with_node()
    except SpecError as error:
        raise KubariumError(str(error)) from error
    write_credentials(joined, layout, token)
    ensure_certificates(components(ComposePlaces(spec, layout)), Pki(layout.pki))
    draft = layout.spec.with_suffix(".new")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(spec)))
    draft.replace(layout.spec)
    return f"joined {spec.joined} as machine {spec.machine}: {', '.join(node.name for node in spec.nodes)}"


def leave(places: Places) -> str:
    """Remove this host's nodes, which are off, from the cluster; return what was done. Its volume stays.

    Raises:
        KubariumError: it joined no cluster, one of its nodes is on, or the cluster does not answer.
    """
    from kubarium.waiting import delete_node

    spec, layout = places.spec, places.layout
    if not spec.joined:
        raise KubariumError("this host joined no other one's cluster: `down` ends its own")
    with MachineLock(layout.home / "machines") as held:
        if not held.leave():
            names = " ".join(f"node-{number}" for number in range(1, len(spec.nodes) + 1))
            raise KubariumError(f"its nodes are on, and would come again: `stop {names}` first")
        for node in spec.nodes:
            delete_node(spec, layout, node.name, timeout_s=_LEAVE_S)
    return f"{', '.join(node.name for node in spec.nodes)} left {spec.joined}; `down -v` removes what is here"


def read_joined(layout: Layout[Path]) -> ClusterSpec:
    """Return the spec that `join` wrote.

    Raises:
        KubariumError: there is none.
    """
    try:
        return checked(msgspec.json.decode(layout.spec.read_bytes(), type=ClusterSpec))
    except (OSError, ValueError) as error:
        raise KubariumError(
            f"this host has not joined yet ({error}): its service `setup` does that"
        ) from error


def node_of_service(spec: ClusterSpec, service: str) -> NodeSpec | None:
    """Return the node that a service is: on the host that joined node-1 is the first of its own, whatever that is called."""
    names = [f"node-{number}" for number in range(1, len(spec.nodes) + 1)]
    if not spec.joined:
        return next((node for node in spec.nodes if node.name == service), None)
    return spec.nodes[names.index(service)] if service in names else None


def lay_tunnel(places: Places) -> None:
    """Join this host's backbone with the other's; nothing happens where that is done.

    Raises:
        KubariumError: the kernel refuses.
    """
    addresses = places.addresses
    if (NAMESPACES / backbone_namespace(places.spec.name)).exists():
        return
    link = _told("-4", "address", "show", "dev", LINK)
    own = [f"{each['local']}/{each['prefixlen']}" for found in link for each in found["addr_info"]]
    gateways = [each["gateway"] for each in _told("-4", "route", "show", "default") if "gateway" in each]
    if not own or not gateways:
        raise KubariumError(
            f"{LINK} of this container has no address or no default route: one network is expected"
        )
    run_all(plan_tunnel(addresses, own, gateways[0]))


def ready_link(places: Places, node: NodeSpec) -> None:
    """Make a node's container part of the network over both hosts, where there are two.

    Raises:
        KubariumError: the kernel refuses.
    """
    if not places.spec.listen:
        return
    present = {
        each["local"] for found in _told("-4", "address", "show", "dev", LINK) for each in found["addr_info"]
    }
    commands = plan_node_link(places.addresses, node)
    run_all(commands[:1] if places.addresses.node(node) in present else commands)


def _told(*arguments: str) -> Any:
    return json.loads(ip_says(["-j", *arguments]) or "[]")

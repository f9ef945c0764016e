"""The arguments of `kubarium up`, and those that it shares with commands that start clusters or add nodes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, TypeAlias

from kubarium.cli import values
from kubarium.core.spec import KUBELET_FLAGS, PLANE_FLAGS, REGISTRY_PORT

if TYPE_CHECKING:  # argparse has no public name for it
    from argparse import _ActionsContainer

Arguments: TypeAlias = "_ActionsContainer"  # a parser, or a group of one


def describe(sub: argparse.ArgumentParser) -> None:
    """Describe what `kubarium up` takes."""
    sub.add_argument(
        "-f", "--file", metavar="FILE",
        help="a cluster file (docs/cluster-file.md; - is standard input); what is said beside it wins",
    )  # fmt: skip
    waiting(sub)
    nodes = sub.add_argument_group("nodes")
    nodes.add_argument(
        "--nodes", type=values.count, metavar="N",
        help="how many nodes (default: 3); more than it has are added",
    )  # fmt: skip
    nodes.add_argument(
        "--runtime", choices=("auto", "docker", "hollow"),
        help="real containers, or simulated ones (no root needed); auto (default): docker where it works",
    )  # fmt: skip
    each_node(nodes)
    nodes.add_argument(
        "--zones", type=values.names, metavar="ZONE,…",
        help="zones that the nodes are in, in turn (a, b, a, b…)",
    )  # fmt: skip
    nodes.add_argument(
        "--process-memory", metavar="QUANTITY",
        help="most memory of each process of a node (default: 1Gi); one that takes more is started again",
    )  # fmt: skip
    _hollow_nodes(sub.add_argument_group("hollow nodes (docs/hollow-nodes.md)"))
    _plane(sub.add_argument_group("control plane"))
    _network(sub.add_argument_group("network (docs/networking.md)"))
    _times(sub.add_argument_group("times"))


def waiting(sub: Arguments) -> None:
    """Describe how long a command waits for nodes."""
    sub.add_argument(
        "--timeout", type=float, default=60.0, metavar="SECONDS", help="how long to wait for the nodes"
    )
    sub.add_argument("--no-wait", action="store_true", help="return as soon as the processes start")


def each_node(sub: Arguments) -> None:
    """Describe what each node that comes has: capacity, labels, taints, flags of its kubelet."""
    sub.add_argument("--cpu", default="", help="declared cpus of a node: 2, 500m (default: the machine's)")
    sub.add_argument(
        "--memory", default="", help="declared memory of a node: 4Gi, 512Mi (default: the machine's)"
    )
    sub.add_argument(
        "--label", dest="labels", action="append", type=values.pair, metavar="KEY=VALUE",
        help="a label of a node; may be given several times",
    )  # fmt: skip
    sub.add_argument(
        "--taint", dest="taints", action="append", metavar="KEY=VALUE:EFFECT",
        help="a taint of a node, from its registration on; may be given several times",
    )  # fmt: skip
    sub.add_argument(
        "--kubelet-arg", dest="kubelet_args", action="append", type=values.pair, metavar="FLAG=VALUE",
        help=f"a flag of a node's kubelet, of {', '.join(KUBELET_FLAGS)}; may be given several times",
    )  # fmt: skip


def _hollow_nodes(sub: Arguments) -> None:
    sub.add_argument(
        "--hollow-nodes", type=values.count, metavar="N",
        help="simulated nodes beside the others, all in one process: hollow-0001, hollow-0002…",
    )  # fmt: skip
    sub.add_argument("--hollow-cpu", metavar="CPU", help="declared cpus of each of them (default: 32)")
    sub.add_argument(
        "--hollow-memory", metavar="MEMORY", help="declared memory of each of them (default: 256Gi)"
    )
    sub.add_argument(
        "--hollow-pods",
        type=values.count,
        metavar="N",
        help="how many pods each of them takes (default: 110)",
    )
    sub.add_argument(
        "--hollow-taint", dest="hollow_taints", action="append", metavar="KEY=VALUE:EFFECT",
        help="a taint of each of them, or none (default: beside real nodes kubarium.dev/runtime=hollow:NoSchedule)",
    )  # fmt: skip


def _plane(sub: Arguments) -> None:
    sub.add_argument("--etcd", type=values.count, metavar="N", help="etcd members: 1 (default) or 3")
    for kind in ("apiservers", "schedulers", "controllers"):
        sub.add_argument(f"--{kind}", type=values.count, metavar="N", help=f"how many {kind} (default: 1)")
    sub.add_argument(
        "--api-port", type=values.count, metavar="PORT", help="first of four ports (default: 6443 and up)"
    )
    sub.add_argument(
        "--access-log", action="store_true", default=None,
        help="have apiservers log each request: verb, path, user, code, latency, user agent",
    )  # fmt: skip
    for program, flags in PLANE_FLAGS.items():
        sub.add_argument(
            f"--{program}-arg", dest=f"{program}_args", action="append", type=values.pair, metavar="FLAG=VALUE",
            help=f"a flag of each {program} process, of {', '.join(flags)}; may be given several times",
        )  # fmt: skip
    sub.add_argument(
        "--registry", dest="registry_port", nargs="?", type=values.count, const=REGISTRY_PORT, metavar="PORT",
        help=f"have an image registry that the nodes know as localhost:PORT (default: {REGISTRY_PORT})",
    )  # fmt: skip


def _network(sub: Arguments) -> None:
    sub.add_argument(
        "--ip-families", choices=("ipv4", "ipv4,ipv6"),
        help="families of the addresses of nodes, pods and Services (default: ipv4); with both it is a dual-stack cluster",
    )  # fmt: skip
    sub.add_argument(
        "--mtu", type=values.count, metavar="BYTES",
        help="largest packet of the nodes and pods (default: the kernel's, 1500)",
    )  # fmt: skip
    sub.add_argument(
        "--cni-conf", metavar="FILE",
        help="the nodes' CNI configuration, read for each pod; default: a bridge on each node",
    )  # fmt: skip
    sub.add_argument(
        "--dns", choices=("auto", "process", "deployment"),
        help="DNS as a process beside the control plane (default), as a workload of the product's own image, or (auto) as a"
        " workload where that image is there",
    )  # fmt: skip
    sub.add_argument(
        "--publish", action="append", metavar="[ADDRESS:]HOSTPORT:TARGET[/udp]",
        help="have a port of this machine (127.0.0.1 without ADDRESS) lead to PORT of the LoadBalancer that has it, else"
        " the node port, or to NAMESPACE/SERVICE[:PORT]; may be given several times",
    )  # fmt: skip
    sub.add_argument(
        "--load-balancer-pool", metavar="POOL",
        help="addresses for load balancers, on the backbone: 220-230, or 10.77.0.224/28 (default: 211-254)",
    )  # fmt: skip
    sub.add_argument(
        "--listen", metavar="ADDRESS",
        help="this machine's IPv4 address for machines that join (`kubarium token create`); VXLAN joins their nodes",
    )  # fmt: skip


def _times(sub: Arguments) -> None:
    sub.add_argument(
        "--profile", choices=("default", "fast"),
        help="timings of failure handling (default: Kubernetes' own)",
    )  # fmt: skip
    sub.add_argument(
        "--time-scale", type=float, metavar="X",
        help="how much faster every Kubernetes interval runs (default: 1)",
    )  # fmt: skip

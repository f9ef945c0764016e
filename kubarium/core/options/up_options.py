"""The options of `up`, by subject: flags of the command line, fields of a cluster file, keywords of `Cluster.up`.

What was not said is not there, and the defaults of `ClusterSpec` hold. A new option is a line here and a field of `ClusterSpec`,
with what it may be in `kubarium.core.spec.checked`; `kubarium.core.cluster_file` names those that a document has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, TypedDict, get_args

from kubarium.core.handed_flags import KUBELET_FLAGS, PLANE_FLAGS
from kubarium.core.options.option import Option, described, flag_of
from kubarium.core.spec import REGISTRY_PORT, Dns, IpFamilies
from kubarium.core.spec_rules import Profile

_AGAIN: Final = "may be given several times"


def _handed_on(program: str, whose: str, flags: Sequence[str]) -> Option:
    """Describe flags that the user hands to a program."""
    text = f"a flag of {whose}, of {', '.join(flags)}; {_AGAIN}"
    return Option("FLAG=VALUE", text, flag=f"--{program}-arg")


def _handed_to(program: str) -> Option:
    return _handed_on(program, f"each {program} process", PLANE_FLAGS[program])


class EachNode(TypedDict, total=False):
    """What each node declares that comes."""

    cpu: Annotated[str, Option("CPU", "declared cpus of a node: 2, 500m (default: the machine's)")]
    memory: Annotated[str, Option("MEMORY", "declared memory of a node: 4Gi, 512Mi (default: the machine's)")]
    labels: Annotated[Mapping[str, str], Option("KEY=VALUE", f"a label of a node; {_AGAIN}", flag="--label")]
    taints: Annotated[
        Sequence[str],
        Option("KEY=VALUE:EFFECT", f"a taint of a node, from its registration on; {_AGAIN}", flag="--taint"),
    ]
    kubelet_args: Annotated[Mapping[str, str], _handed_on("kubelet", "a node's kubelet", KUBELET_FLAGS)]


class NodeCount(TypedDict, total=False):
    """How many nodes there are, and whether they are real."""

    nodes: Annotated[int, Option("N", "how many nodes (default: 3); more than it has are added")]
    runtime: Annotated[
        str,
        Option(
            "",
            "real containers, or simulated ones (no root needed); auto (default): docker where it works",
            choices=("auto", "docker", "hollow"),
        ),
    ]


class AllNodes(TypedDict, total=False):
    """What holds for the nodes together."""

    zones: Annotated[
        Sequence[str],
        Option("ZONE,…", "zones that the nodes are in, in turn (a, b, a, b…)", separator=","),
    ]
    process_memory: Annotated[
        str,
        Option(
            "QUANTITY",
            "most memory of each process of a node (default: 1Gi); one that takes more is started again",
        ),
    ]


class HollowNodes(TypedDict, total=False):
    """Simulated nodes beside the others (docs/hollow-nodes.md)."""

    hollow_nodes: Annotated[
        int,
        Option("N", "simulated nodes beside the others, all in one process: hollow-0001, hollow-0002…"),
    ]
    hollow_cpu: Annotated[str, Option("CPU", "declared cpus of each of them (default: 32)")]
    hollow_memory: Annotated[str, Option("MEMORY", "declared memory of each of them (default: 256Gi)")]
    hollow_pods: Annotated[int, Option("N", "how many pods each of them takes (default: 110)")]
    hollow_taints: Annotated[
        Sequence[str],
        Option(
            "KEY=VALUE:EFFECT",
            "a taint of each of them, or none (default: beside real nodes kubarium.dev/runtime=hollow:NoSchedule)",
            flag="--hollow-taint",
        ),
    ]


class ControlPlane(TypedDict, total=False):
    """How many processes the control plane has, and what they are told."""

    etcd: Annotated[int, Option("N", "etcd members: 1 (default) or 3")]
    apiservers: Annotated[int, Option("N", "how many apiservers (default: 1)")]
    schedulers: Annotated[int, Option("N", "how many schedulers (default: 1)")]
    controllers: Annotated[int, Option("N", "how many controllers (default: 1)")]
    api_port: Annotated[int, Option("PORT", "first of four ports (default: 6443 and up)")]
    access_log: Annotated[
        bool,
        Option("", "have apiservers log each request: verb, path, user, code, latency, user agent"),
    ]
    apiserver_args: Annotated[Mapping[str, str], _handed_to("apiserver")]
    controllers_args: Annotated[Mapping[str, str], _handed_to("controllers")]
    scheduler_args: Annotated[Mapping[str, str], _handed_to("scheduler")]
    registry_port: Annotated[
        int,
        Option(
            "PORT",
            f"have an image registry that the nodes know as localhost:PORT (default: {REGISTRY_PORT})",
            flag="--registry",
            alone=REGISTRY_PORT,
        ),
    ]


class Network(TypedDict, total=False):
    """Addresses, packets, and the ways in (docs/networking.md)."""

    ip_families: Annotated[
        str,
        Option(
            "",
            "families of the addresses of nodes, pods and Services (default: ipv4); with both it is a dual-stack cluster",
            choices=get_args(IpFamilies),
        ),
    ]
    mtu: Annotated[int, Option("BYTES", "largest packet of the nodes and pods (default: the kernel's, 1500)")]
    cni_conf: Annotated[
        str,
        Option(
            "FILE",
            "the nodes' CNI configuration, read for each pod; default: a bridge on each node",
        ),
    ]
    dns: Annotated[
        str,
        Option(
            "",
            "DNS as a process beside the control plane (default), as a workload of the product's own image, or (auto) as a"
            " workload where that image is there",
            choices=("auto", *get_args(Dns)),
        ),
    ]
    publish: Annotated[
        Sequence[str],
        Option(
            "[ADDRESS:]HOSTPORT:TARGET[/udp]",
            "have a port of this machine (127.0.0.1 without ADDRESS) lead to PORT of the LoadBalancer that has it, else"
            f" the node port, or to NAMESPACE/SERVICE[:PORT]; {_AGAIN}",
        ),
    ]
    load_balancer_pool: Annotated[
        str,
        Option(
            "POOL",
            "addresses for load balancers, on the backbone: 220-230, or 10.77.0.224/28 (default: 211-254)",
        ),
    ]
    listen: Annotated[
        str,
        Option(
            "ADDRESS",
            "this machine's IPv4 address for machines that join (`kubarium token create`); VXLAN joins their nodes",
        ),
    ]


class Times(TypedDict, total=False):
    """How fast the cluster's time goes."""

    profile: Annotated[
        str,
        Option(
            "",
            "timings of failure handling (default: Kubernetes' own)",
            choices=get_args(Profile),
        ),
    ]
    time_scale: Annotated[float, Option("X", "how much faster every Kubernetes interval runs (default: 1)")]


class ForTests(TypedDict, total=False):
    """What only tests ask for, in Python."""

    check_invariants: bool  # a component ends where it finds its own state broken


class UpOptions(
    NodeCount, EachNode, AllNodes, HollowNodes, ControlPlane, Network, Times, ForTests, total=False
):
    """Everything that can be asked of `up`."""


OPTIONS: Final = described(UpOptions)


def flag(name: str) -> str:
    """Return the flag of an option, also of one that has no description."""
    return flag_of(name, OPTIONS[name]) if name in OPTIONS else f"--{name.replace('_', '-')}"

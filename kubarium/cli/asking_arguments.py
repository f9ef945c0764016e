"""The arguments of the commands that look and ask: recommend, explain, net, simulate, logs."""

from __future__ import annotations

import argparse

from kubarium.cli import values


def recommend(sub: argparse.ArgumentParser) -> None:
    """Describe what `kubarium recommend` takes."""
    namespace(sub, "of which namespace")
    sub.add_argument("-A", "--all-namespaces", action="store_true", help="of every namespace")
    sub.add_argument(
        "--for", dest="for_s", type=values.duration, default=60.0, metavar="DURATION",
        help="how long to look at them: 90s, 5m, 8h (default: 1m); 0s: not at all, with --state",
    )  # fmt: skip
    sub.add_argument(
        "--state",
        default="",
        metavar="FILE",
        help="go on from what was seen before, and write down what is seen",
    )
    output(sub, "table", "json", "yaml")


def explain(sub: argparse.ArgumentParser) -> None:
    """Describe what `kubarium explain` takes."""
    sub.add_argument(
        "what", type=values.explained, metavar="WHAT",
        help="pod/[NAMESPACE/]NAME: what each plugin of the scheduler says of each node; netpol: what NetworkPolicies say",
    )  # fmt: skip
    for flag, end in (("--from", "source"), ("--to", "target")):
        sub.add_argument(
            flag, dest=end, default="", metavar="END",
            help="netpol: pod/NAME, NAMESPACE/NAME of a pod, or an address",
        )  # fmt: skip
    sub.add_argument(
        "--port", default="", metavar="PORT",
        help="netpol: the port of the target, after a Service has led to it: 80, 53/udp, or a name",
    )  # fmt: skip
    namespace(sub, "of the pods without one")
    state(sub)
    output(sub, "text", "json")


def net(sub: argparse.ArgumentParser) -> None:
    """Describe what `kubarium net` takes."""
    sub.add_argument(
        "what",
        metavar="WHAT",
        help="service/NAME, pod/NAME, an address; or check: try every way there is",
    )
    sub.add_argument(
        "--from", dest="source", default="", metavar="END",
        help="who asks: pod/NAME, NAMESPACE/NAME of a pod, a node, or machine (default: the first node)",
    )  # fmt: skip
    sub.add_argument(
        "--port",
        default="",
        metavar="PORT",
        help="the port that is asked for: 80, 53/udp, or a name (default: all)",
    )
    sub.add_argument(
        "--at", default="", metavar="ADDRESS",
        help="the address at which a Service is asked for, or the node at which its node port is (default: its ClusterIP)",
    )  # fmt: skip
    sub.add_argument(
        "-6", "--ipv6", action="store_true",
        help="follow IPv6, in a dual-stack cluster (default: IPv4, unless an address says otherwise)",
    )  # fmt: skip
    namespace(sub, "of what has none beside its name")
    output(sub, "text", "json")
    sub.add_argument(
        "--image", default="busybox:1.36", metavar="IMAGE",
        help="check: what its pods are made of, anything with `sleep` (default: busybox:1.36)",
    )  # fmt: skip
    sub.add_argument(
        "--timeout", type=float, default=60.0, metavar="SECONDS",
        help="check: how long to wait for its pods (default: 60)",
    )  # fmt: skip


def simulate(sub: argparse.ArgumentParser) -> None:
    """Describe what `kubarium simulate` takes."""
    state(sub)
    sub.add_argument(
        "--pods", action="append", default=[], metavar="FILE",
        help="what comes: Pods, or Deployments, StatefulSets, Jobs, DaemonSets for theirs; may be given several times",
    )  # fmt: skip
    sub.add_argument(
        "--save", default="", metavar="FILE",
        help="write the state down, for --cluster; without --pods that is all",
    )  # fmt: skip
    sub.add_argument(
        "--how-many", action="store_true",
        help="count instead how many more of each workload or pod of --pods fit beside what runs",
    )  # fmt: skip
    sub.add_argument(
        "--which-can-go", action="store_true",
        help="try instead which nodes could go: alone, and together",
    )  # fmt: skip
    sub.add_argument(
        "--html", default="", metavar="FILE",
        help="draw it: a page with the nodes as boxes, before and after, and who was left without one",
    )  # fmt: skip
    sub.add_argument(
        "--title", default="Simulation", metavar="TEXT", help="of that page (default: Simulation)"
    )
    sub.add_argument(
        "--seed", type=values.count, default=0, metavar="N",
        help="of what chooses among nodes with the same score (default: 0); the same seed has the same result",
    )  # fmt: skip
    namespace(sub, "of what comes without one")
    output(sub, "text", "json")


def logs(sub: argparse.ArgumentParser) -> None:
    """Describe what `kubarium logs` takes."""
    sub.add_argument(
        "component",
        nargs="*",
        metavar="COMPONENT",
        help="names from `kubarium ps`, or supervisor (default: all)",
    )
    sub.add_argument("-f", "--follow", action="store_true", help="go on with what is added")
    sub.add_argument("--tail", type=values.count, metavar="N", help="the last N lines of each only")
    sub.add_argument(
        "--since", type=values.duration, metavar="TIME", help="only what is newer: 30s, 5m, 1h30m"
    )
    sub.add_argument("--export", metavar="DIR", help="copy the files into a folder instead")


def state(sub: argparse.ArgumentParser) -> None:
    """Describe where the state of a cluster is taken from."""
    sub.add_argument(
        "--cluster", action="append", default=[], metavar="FILE",
        help="the state of a cluster: Nodes, Pods, claims…, as YAML or JSON (- is standard input); may be given several times"
        " (default: of the cluster that runs)",
    )  # fmt: skip
    sub.add_argument(
        "--kubeconfig", default="", metavar="FILE",
        help="take the state of any cluster, by the current context of a kubeconfig",
    )  # fmt: skip
    sub.add_argument(
        "--config", default="", metavar="FILE",
        help="a KubeSchedulerConfiguration (docs/scheduler.md; default: that of the cluster's scheduler, else the default profile)",
    )  # fmt: skip


def namespace(sub: argparse.ArgumentParser, whose: str) -> None:
    """Describe the namespace that is meant where none is said; `whose` says of what."""
    sub.add_argument(
        "-n", "--namespace", default="default", metavar="NAMESPACE", help=f"{whose} (default: default)"
    )


def output(sub: argparse.ArgumentParser, *forms: str) -> None:
    """Describe the forms of what is printed, the one for people first."""
    sub.add_argument(
        "-o", "--output", choices=forms, default=forms[0], help="for people (default), or for programs"
    )

"""`kubarium` on the command line: reads arguments, calls the library, prints for people.

This module describes the command line and turns what goes wrong into an exit code; `commands` has a function for each
command; `tables` lays out what they print.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from kubarium import homes
from kubarium.cli import commands, net_command, simulate_command
from kubarium.cli.completion import SCRIPTS
from kubarium.core.log_lines import read_duration_s
from kubarium.core.spec import KUBELET_FLAGS, PLANE_FLAGS, REGISTRY_PORT
from kubarium.errors import KubariumError

_DESCRIPTION = "Start, watch, take apart and break a real Kubernetes-shaped cluster."


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0 done, 1 could not be done, 2 wrong usage."""
    words = sys.argv[1:] if argv is None else argv
    if words[:1] == ["__complete"]:
        return commands.complete(parser(), words[1:])
    options = parser().parse_args(words)
    options.given_name = options.name
    if not getattr(options, "file", None):  # which may name one
        options.name = options.name or homes.current_name()
    try:
        code: int = options.run(options)
    except KubariumError as error:
        print(f"kubarium: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    return code


class _Version(argparse.Action):
    """Look the version up when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"kubarium {version('kubarium')}")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    top = argparse.ArgumentParser(prog="kubarium", description=_DESCRIPTION)
    top.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    subs = top.add_subparsers(metavar="COMMAND", required=True)
    _up(_command(subs, "up", commands.up, "start a cluster and wait until its nodes are Ready"))
    down = _command(subs, "down", commands.down, "stop a cluster and remove all that it made")
    which = down.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="every cluster of this user")
    which.add_argument(
        "--own", action="store_true", help="every cluster that this checkout or installation started"
    )
    ps = _listing(subs, "ps", commands.ps, "list the processes: pid, uptime, restarts, cpu, memory")
    ps.add_argument("--json", action="store_true", help="short for --output json")
    _logs(_command(subs, "logs", commands.logs, "print the logs of components, or of all in one order"))
    kill = _command(subs, "kill", commands.kill, "SIGKILL; stays down until `kubarium restart`")
    kill.add_argument("--restart", action="store_true", help="let it be brought back, as after a crash")
    _component(kill)
    stop = _command(
        subs,
        "stop",
        commands.stop,
        "SIGTERM; stays down until `kubarium restart`. Without COMPONENT: the cluster",
    )
    _component(stop, at_least="*")
    _wait(_command(subs, "start", commands.start, "start a cluster that was stopped, as it was left"))
    _component(
        _command(
            subs,
            "pause",
            commands.pause,
            "SIGSTOP: it holds its connections and says nothing; of a node the containers, too",
        )
    )
    _component(
        _command(subs, "cut", commands.cut, "cut nodes off from the network; what is on them goes on"),
    )
    _component(
        _command(
            subs,
            "resume",
            commands.resume,
            "SIGCONT: let what was paused go on; join a node that was cut off",
        )
    )
    _component(_command(subs, "restart", commands.restart, "stop it where it runs, and start it"))
    _nodes(subs)
    _machines(subs)
    load = _command(
        subs,
        "load",
        commands.load,
        "have images where the nodes find them: in the engine, and in the cluster's registry",
    )
    load.add_argument(
        "image", nargs="+", metavar="IMAGE",
        help="a name in the engine's store, or an archive of `docker save` (a path, or *.tar, *.tar.gz, *.tgz)",
    )  # fmt: skip
    _recommend(
        _command(
            subs, "recommend", commands.recommend, "say what containers should request, by what they use"
        )
    )
    _explain(
        _command(
            subs,
            "explain",
            commands.explain,
            "say why a pod is where it is or nowhere (pod/NAME), or what lets a connection through or stops it (netpol)",
        )
    )
    _net(
        _command(
            subs,
            "net",
            net_command.net,
            "follow a packet to where it is lost, or check every way there is (net check)",
        )
    )
    _simulate(
        _command(
            subs,
            "simulate",
            simulate_command.simulate,
            "say where pods would go, without a cluster that runs",
        )
    )
    tunnel = _command(
        subs,
        "tunnel",
        commands.tunnel,
        "forward ports of this machine to Services for as long as it runs",
    )
    tunnel.add_argument(
        "service", nargs="*", metavar="SERVICE",
        help="[HOSTPORT:][NAMESPACE/]SERVICE[:PORT] (default: every LoadBalancer, as they come and go)",
    )  # fmt: skip
    tunnel.add_argument(
        "-n", "--namespace", default="default", metavar="NAMESPACE",
        help="of the Services without one (default: default)",
    )  # fmt: skip
    _command(subs, "kubeconfig", commands.kubeconfig, "print the path of the kubeconfig")
    use = _command(
        subs, "use", commands.use, "make a cluster the one that is meant without --name, or print which is"
    )
    use.add_argument("cluster", nargs="?", default="", metavar="CLUSTER", help="a name from `kubarium ls`")
    use.add_argument(
        "--merge",
        action="store_true",
        help="put its contexts into ~/.kube/config (or KUBECONFIG's first file), too",
    )
    _listing(subs, "ls", commands.clusters, "list the clusters")
    completion = _command(
        subs, "completion", commands.completion, "print the script for a shell's completion"
    )
    completion.add_argument("shell", choices=sorted(SCRIPTS))
    return top


def _recommend(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "-n",
        "--namespace",
        default="default",
        metavar="NAMESPACE",
        help="of which namespace (default: default)",
    )
    sub.add_argument("-A", "--all-namespaces", action="store_true", help="of every namespace")
    sub.add_argument(
        "--for", dest="for_s", type=_duration, default=60.0, metavar="DURATION",
        help="how long to look at them: 90s, 5m, 8h (default: 1m); 0s: not at all, with --state",
    )  # fmt: skip
    sub.add_argument(
        "--state",
        default="",
        metavar="FILE",
        help="go on from what was seen before, and write down what is seen",
    )
    sub.add_argument(
        "-o", "--output", choices=("table", "json", "yaml"), default="table",
        help="for people (default), or for programs",
    )  # fmt: skip


def _explain(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "what", type=_explained, metavar="WHAT",
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
    sub.add_argument(
        "-n", "--namespace", default="default", metavar="NAMESPACE",
        help="of the pods without one (default: default)",
    )  # fmt: skip
    _state(sub)
    sub.add_argument(
        "-o",
        "--output",
        choices=("text", "json"),
        default="text",
        help="for people (default), or for programs",
    )


def _explained(text: str) -> str:
    if text != "netpol" and not text.startswith("pod/"):
        raise argparse.ArgumentTypeError(f"has to be pod/NAME or netpol, not {text!r}")
    return text


def _state(sub: argparse.ArgumentParser) -> None:
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


def _net(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "what",
        metavar="WHAT",
        help="service/NAME, pod/NAME, an IPv4 address; or check: try every way there is",
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
        "-n", "--namespace", default="default", metavar="NAMESPACE",
        help="of what has none beside its name (default: default)",
    )  # fmt: skip
    sub.add_argument(
        "-o", "--output", choices=("text", "json"), default="text",
        help="for people (default), or for programs",
    )  # fmt: skip
    sub.add_argument(
        "--image", default="busybox:1.36", metavar="IMAGE",
        help="check: what its pods are made of, anything with `sleep` (default: busybox:1.36)",
    )  # fmt: skip
    sub.add_argument(
        "--timeout", type=float, default=60.0, metavar="SECONDS",
        help="check: how long to wait for its pods (default: 60)",
    )  # fmt: skip


def _simulate(sub: argparse.ArgumentParser) -> None:
    _state(sub)
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
        "--seed", type=_count, default=0, metavar="N",
        help="of what chooses among nodes with the same score (default: 0); the same seed has the same result",
    )  # fmt: skip
    sub.add_argument(
        "-n", "--namespace", default="default", metavar="NAMESPACE",
        help="of what comes without one (default: default)",
    )  # fmt: skip
    sub.add_argument(
        "-o", "--output", choices=("text", "json"), default="text",
        help="for people (default), or for programs",
    )  # fmt: skip


def _command(
    subs: argparse._SubParsersAction[argparse.ArgumentParser], name: str, run: commands.Run, text: str
) -> argparse.ArgumentParser:
    sub = subs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    sub.add_argument(
        "--name",
        default="",
        metavar="CLUSTER",
        help="which cluster (default: the one in `use`, else kubarium)",
    )
    sub.set_defaults(run=run)
    return sub


def _listing(
    subs: argparse._SubParsersAction[argparse.ArgumentParser], name: str, run: commands.Run, text: str
) -> argparse.ArgumentParser:
    sub = _command(subs, name, run, text)
    sub.add_argument(
        "-o", "--output", choices=("table", "json", "name"), default="table",
        help="for people (default), for programs, or the names alone",
    )  # fmt: skip
    return sub


def _component(sub: argparse.ArgumentParser, *, at_least: str = "+") -> None:
    sub.add_argument(
        "component",
        nargs=at_least,
        metavar="COMPONENT",
        help="names from `kubarium ps`, or nodes for whole machines",
    )


def _logs(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "component",
        nargs="*",
        metavar="COMPONENT",
        help="names from `kubarium ps`, or supervisor (default: all)",
    )
    sub.add_argument("-f", "--follow", action="store_true", help="go on with what is added")
    sub.add_argument("--tail", type=_count, metavar="N", help="the last N lines of each only")
    sub.add_argument("--since", type=_duration, metavar="TIME", help="only what is newer: 30s, 5m, 1h30m")
    sub.add_argument("--export", metavar="DIR", help="copy the files into a folder instead")


def _capacity(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--cpu", default="", help="declared cpus of a node: 2, 500m (default: the machine's)")
    sub.add_argument(
        "--memory", default="", help="declared memory of a node: 4Gi, 512Mi (default: the machine's)"
    )
    sub.add_argument(
        "--label", dest="labels", action="append", type=_pair, metavar="KEY=VALUE",
        help="a label of a node; may be given several times",
    )  # fmt: skip
    sub.add_argument(
        "--taint", dest="taints", action="append", metavar="KEY=VALUE:EFFECT",
        help="a taint of a node, from its registration on; may be given several times",
    )  # fmt: skip
    sub.add_argument(
        "--kubelet-arg", dest="kubelet_args", action="append", type=_pair, metavar="FLAG=VALUE",
        help=f"a flag of a node's kubelet, of {', '.join(KUBELET_FLAGS)}; may be given several times",
    )  # fmt: skip


def _up(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "-f", "--file", metavar="FILE",
        help="a cluster file (docs/cluster-file.md; - is standard input); what is said beside it wins",
    )  # fmt: skip
    sub.add_argument(
        "--nodes", type=_count, metavar="N", help="how many nodes (default: 3); more than it has are added"
    )
    sub.add_argument("--etcd", type=_count, metavar="N", help="etcd members: 1 (default) or 3")
    for kind in ("apiservers", "schedulers", "controllers"):
        sub.add_argument(f"--{kind}", type=_count, metavar="N", help=f"how many {kind} (default: 1)")
    sub.add_argument(
        "--access-log", action="store_true", default=None,
        help="have apiservers log each request: verb, path, user, code, latency, user agent",
    )  # fmt: skip
    for program, flags in PLANE_FLAGS.items():
        sub.add_argument(
            f"--{program}-arg", dest=f"{program}_args", action="append", type=_pair, metavar="FLAG=VALUE",
            help=f"a flag of each {program} process, of {', '.join(flags)}; may be given several times",
        )  # fmt: skip
    sub.add_argument(
        "--registry", dest="registry_port", nargs="?", type=_count, const=REGISTRY_PORT, metavar="PORT",
        help=f"have an image registry that the nodes know as localhost:PORT (default: {REGISTRY_PORT})",
    )  # fmt: skip
    sub.add_argument(
        "--mtu", type=_count, metavar="BYTES",
        help="largest packet of the nodes and pods (default: the kernel's, 1500)",
    )  # fmt: skip
    sub.add_argument(
        "--listen", metavar="ADDRESS",
        help="this machine's IPv4 address for machines that join (`kubarium token create`); VXLAN joins their nodes",
    )  # fmt: skip
    sub.add_argument(
        "--ip-families", choices=("ipv4", "ipv4,ipv6"),
        help="families of the addresses of nodes, pods and Services (default: ipv4); with both it is a dual-stack cluster",
    )  # fmt: skip
    sub.add_argument(
        "--cni-conf", metavar="FILE",
        help="the nodes' CNI configuration (docs/networking.md), read for each pod; default: a bridge on each node",
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
        "--hollow-nodes", type=_count, metavar="N",
        help="simulated nodes beside the others, all in one process: hollow-0001, hollow-0002… (docs/hollow-nodes.md)",
    )  # fmt: skip
    sub.add_argument("--hollow-cpu", metavar="CPU", help="declared cpus of each of them (default: 32)")
    sub.add_argument(
        "--hollow-memory", metavar="MEMORY", help="declared memory of each of them (default: 256Gi)"
    )
    sub.add_argument(
        "--hollow-pods", type=_count, metavar="N", help="how many pods each of them takes (default: 110)"
    )
    sub.add_argument(
        "--hollow-taint", dest="hollow_taints", action="append", metavar="KEY=VALUE:EFFECT",
        help="a taint of each of them, or none (default: beside real nodes kubarium.dev/runtime=hollow:NoSchedule)",
    )  # fmt: skip
    sub.add_argument(
        "--runtime",
        choices=("auto", "docker", "hollow"),
        help="real containers, or simulated ones (no root needed); auto (default): docker where it works",
    )
    sub.add_argument(
        "--profile",
        choices=("default", "fast"),
        help="timings of failure handling (default: Kubernetes' own)",
    )
    sub.add_argument(
        "--time-scale",
        type=float,
        metavar="X",
        help="how much faster every Kubernetes interval runs (default: 1)",
    )
    sub.add_argument(
        "--api-port", type=_count, metavar="PORT", help="first of four ports (default: 6443 and up)"
    )
    sub.add_argument(
        "--process-memory",
        metavar="QUANTITY",
        help="most memory of each process of a node (default: 1Gi); one that takes more is started again",
    )
    _wait(sub)
    _capacity(sub)
    sub.add_argument(
        "--zones", type=_names, metavar="ZONE,…", help="zones that the nodes are in, in turn (a, b, a, b…)"
    )


def _wait(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--timeout", type=float, default=60.0, metavar="SECONDS", help="how long to wait for the nodes"
    )
    sub.add_argument("--no-wait", action="store_true", help="return as soon as the processes start")


def _nodes(subs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    node = subs.add_parser("node", help="add, remove and list nodes of a running cluster")
    inner = node.add_subparsers(metavar="ACTION", required=True)
    add = _command(inner, "add", commands.node_add, "add a node")
    add.add_argument("node", nargs="?", default="", metavar="NODE", help="its name (default: node-N)")
    _capacity(add)
    add.add_argument("--zone", default="", help="the zone that it is in")
    add.add_argument(
        "--bootstrap", action="store_true",
        help="have its kubelet ask for its certificate with a bootstrap token, as a machine that joins",
    )  # fmt: skip
    remove = _command(inner, "rm", commands.node_rm, "switch a node off and take it out of the cluster")
    remove.add_argument("node", metavar="NODE")
    _listing(inner, "ls", commands.node_ls, "list the nodes: address, declared capacity, processes")


def _machines(subs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    token = subs.add_parser("token", help="let further machines into a cluster of `up --listen`")
    inner = token.add_subparsers(metavar="ACTION", required=True)
    create = _command(inner, "create", commands.token_create, "print the command by which a machine joins")
    create.add_argument(
        "--ttl", type=_duration, default=24 * 3600.0, metavar="DURATION",
        help="how long it can be used: 10m, 2h (default: 24h)",
    )  # fmt: skip
    join = _command(
        subs, "join", commands.join, "bring nodes of this machine into the cluster of another one"
    )
    join.add_argument("door", metavar="ADDRESS:PORT", help="of the first machine")
    join.add_argument("--token", required=True, help="of `kubarium token create` there")
    join.add_argument(
        "--ca-hash", required=True, metavar="sha256:HASH", help="of the public key of its authority"
    )
    join.add_argument("--nodes", type=_count, default=1, metavar="N", help="how many nodes (default: 1)")
    _wait(join)
    _capacity(join)
    _command(subs, "leave", commands.leave, "take this machine's nodes out of the cluster that it joined")


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise argparse.ArgumentTypeError(f"has to be a whole number, 0 or more, not {text!r}")
    return number


def _duration(text: str) -> float:
    try:
        return read_duration_s(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign or not key:
        raise argparse.ArgumentTypeError(f"has to be KEY=VALUE, not {text!r}")
    return key, value


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))

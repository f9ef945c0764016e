"""The command line, described: every command, what it is for, and its arguments."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from kubarium.cli import asking_arguments, up_arguments, values
from kubarium.cli.commands import clusters, completing, components, net, nodes, questions, simulate
from kubarium.cli.completion import SCRIPTS

if TYPE_CHECKING:  # argparse has no public name for it
    from argparse import _SubParsersAction

_DESCRIPTION = "Start, watch, take apart and break a real Kubernetes-shaped cluster."

Run: TypeAlias = Callable[[argparse.Namespace], int]
Commands: TypeAlias = "_SubParsersAction[argparse.ArgumentParser]"


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
    _coming_and_going(subs)
    _components(subs)
    _nodes(subs)
    _machines(subs)
    _questions(subs)
    _ways_in(subs)
    _clusters(subs)
    return top


def _coming_and_going(subs: Commands) -> None:
    up_arguments.describe(
        _command(subs, "up", clusters.up, "start a cluster and wait until its nodes are Ready")
    )
    down = _command(subs, "down", clusters.down, "stop a cluster and remove all that it made")
    which = down.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="every cluster of this user")
    which.add_argument(
        "--own", action="store_true", help="every cluster that this checkout or installation started"
    )
    stop = _command(
        subs, "stop", components.stop,
        "SIGTERM; stays down until `kubarium restart`. Without COMPONENT: the cluster",
    )  # fmt: skip
    _component(stop, at_least="*")
    start = _command(subs, "start", clusters.start, "start a cluster that was stopped, as it was left")
    up_arguments.waiting(start)


def _components(subs: Commands) -> None:
    ps = _listing(subs, "ps", components.ps, "list the processes: pid, uptime, restarts, cpu, memory")
    ps.add_argument("--json", action="store_true", help="short for --output json")
    logs = _command(subs, "logs", components.logs, "print the logs of components, or of all in one order")
    asking_arguments.logs(logs)
    kill = _command(subs, "kill", components.kill, "SIGKILL; stays down until `kubarium restart`")
    kill.add_argument("--restart", action="store_true", help="let it be brought back, as after a crash")
    _component(kill)
    for name, run, text in (
        ("pause", components.pause, "SIGSTOP: it holds its connections and says nothing; of a node the containers, too"),
        ("cut", components.cut, "cut nodes off from the network; what is on them goes on"),
        ("resume", components.resume, "SIGCONT: let what was paused go on; join a node that was cut off"),
        ("restart", components.restart, "stop it where it runs, and start it"),
    ):  # fmt: skip
        _component(_command(subs, name, run, text))


def _nodes(subs: Commands) -> None:
    node = subs.add_parser("node", help="add, remove and list nodes of a running cluster")
    inner = node.add_subparsers(metavar="ACTION", required=True)
    add = _command(inner, "add", nodes.node_add, "add a node")
    add.add_argument("node", nargs="?", default="", metavar="NODE", help="its name (default: node-N)")
    up_arguments.each_node(add)
    add.add_argument("--zone", default="", help="the zone that it is in")
    add.add_argument(
        "--bootstrap", action="store_true",
        help="have its kubelet ask for its certificate with a bootstrap token, as a machine that joins",
    )  # fmt: skip
    remove = _command(inner, "rm", nodes.node_rm, "switch a node off and take it out of the cluster")
    remove.add_argument("node", metavar="NODE")
    _listing(inner, "ls", nodes.node_ls, "list the nodes: address, declared capacity, processes")
    load = _command(
        subs, "load", nodes.load,
        "have images where the nodes find them: in the engine, and in the cluster's registry",
    )  # fmt: skip
    load.add_argument(
        "image", nargs="+", metavar="IMAGE",
        help="a name in the engine's store, or an archive of `docker save` (a path, or *.tar, *.tar.gz, *.tgz)",
    )  # fmt: skip


def _machines(subs: Commands) -> None:
    token = subs.add_parser("token", help="let further machines into a cluster of `up --listen`")
    inner = token.add_subparsers(metavar="ACTION", required=True)
    create = _command(inner, "create", nodes.token_create, "print the command by which a machine joins")
    create.add_argument(
        "--ttl", type=values.duration, default=24 * 3600.0, metavar="DURATION",
        help="how long it can be used: 10m, 2h (default: 24h)",
    )  # fmt: skip
    join = _command(subs, "join", nodes.join, "bring nodes of this machine into the cluster of another one")
    join.add_argument("door", metavar="ADDRESS:PORT", help="of the first machine")
    join.add_argument("--token", required=True, help="of `kubarium token create` there")
    join.add_argument(
        "--ca-hash", required=True, metavar="sha256:HASH", help="of the public key of its authority"
    )
    join.add_argument(
        "--nodes", type=values.count, default=1, metavar="N", help="how many nodes (default: 1)"
    )
    up_arguments.waiting(join)
    up_arguments.each_node(join)
    _command(subs, "leave", nodes.leave, "take this machine's nodes out of the cluster that it joined")


def _questions(subs: Commands) -> None:
    for name, run, text, describe in (
        (
            "recommend", questions.recommend, "say what containers should request, by what they use",
            asking_arguments.recommend,
        ),
        (
            "explain", questions.explain,
            "say why a pod is where it is or nowhere (pod/NAME), or what lets a connection through or stops it (netpol)",
            asking_arguments.explain,
        ),
        (
            "net", net.net, "follow a packet to where it is lost, or check every way there is (net check)",
            asking_arguments.net,
        ),
        (
            "simulate", simulate.simulate, "say where pods would go, without a cluster that runs",
            asking_arguments.simulate,
        ),
    ):  # fmt: skip
        describe(_command(subs, name, run, text))


def _ways_in(subs: Commands) -> None:
    tunnel = _command(
        subs, "tunnel", questions.tunnel, "forward ports of this machine to Services for as long as it runs"
    )
    tunnel.add_argument(
        "service", nargs="*", metavar="SERVICE",
        help="[HOSTPORT:][NAMESPACE/]SERVICE[:PORT] (default: every LoadBalancer, as they come and go)",
    )  # fmt: skip
    asking_arguments.namespace(tunnel, "of the Services without one")
    _command(subs, "kubeconfig", clusters.kubeconfig, "print the path of the kubeconfig")


def _clusters(subs: Commands) -> None:
    use = _command(
        subs, "use", clusters.use, "make a cluster the one that is meant without --name, or print which is"
    )
    use.add_argument("cluster", nargs="?", default="", metavar="CLUSTER", help="a name from `kubarium ls`")
    use.add_argument(
        "--merge", action="store_true",
        help="put its contexts into ~/.kube/config (or KUBECONFIG's first file), too",
    )  # fmt: skip
    _listing(subs, "ls", clusters.clusters, "list the clusters")
    completion = _command(
        subs, "completion", completing.completion, "print the script for a shell's completion"
    )
    completion.add_argument("shell", choices=sorted(SCRIPTS))


def _command(subs: Commands, name: str, run: Run, text: str) -> argparse.ArgumentParser:
    sub = subs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    sub.add_argument(
        "--name",
        default="",
        metavar="CLUSTER",
        help="which cluster (default: the one in `use`, else kubarium)",
    )
    sub.set_defaults(run=run)
    return sub


def _listing(subs: Commands, name: str, run: Run, text: str) -> argparse.ArgumentParser:
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

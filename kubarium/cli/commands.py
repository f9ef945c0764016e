"""The commands: each takes the parsed arguments and returns an exit code.

What cannot be done ends with a KubariumError, whose words are for the user.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path

from kubarium import homes
from kubarium.cli.tables import ago, table
from kubarium.cluster import Cluster
from kubarium.core.addresses import Addresses
from kubarium.core.options import Options
from kubarium.errors import KubariumError
from kubarium.import_path import programs_folder
from kubarium.logs import follow
from kubarium.usage import usage
from machinery.process.clock import WALL

Run = Callable[[argparse.Namespace], int]


def up(options: argparse.Namespace) -> int:
    """Start a cluster, or say that it runs."""
    began = WALL.monotonic_wall()
    given = ((field.name, getattr(options, field.name, None)) for field in fields(Options))
    asked = Options(**{name: value for name, value in given if value is not None})
    begun = Cluster.begin(
        options.name, asked, wait=not options.no_wait, timeout_s=options.timeout, progress=_say
    )
    cluster = begun.cluster
    if begun.is_new:
        spec, took_s = cluster.spec, WALL.monotonic_wall() - began
        state = (
            f"is starting (`kubarium up{_name(options)}` waits)"
            if options.no_wait
            else f"is up after {took_s:.1f} s"
        )
        print(
            f'Cluster "{options.name}" {state}: '
            f"{len(spec.nodes)} nodes, {spec.runtime} runtime, {cluster.addresses.rest_url}"
        )
    for node in begun.added:
        print(f"{node} was added")
    print(f"\n  export KUBECONFIG={cluster.kubeconfig}")
    if shutil.which("kubarium") is None:
        print(f"  export PATH={Path(sys.argv[0]).resolve().parent}:$PATH")
    print("  kubectl get nodes")
    print(f"  kubarium ps{_name(options)}\n  kubarium down{_name(options)}")
    return 0


def _name(options: argparse.Namespace) -> str:
    return "" if options.name == "kubarium" else f" --name {options.name}"


def down(options: argparse.Namespace) -> int:
    """Stop one cluster, all, or those that this installation started.

    Raises:
        KubariumError: there is no such cluster.
    """
    names = homes.cluster_names() if options.all or options.own else [options.name]
    for name in names:
        cluster = Cluster(name)
        if options.own and not _is_own(cluster):
            continue
        if not cluster.down(progress=_say):
            raise KubariumError(f'there is no cluster "{name}": `kubarium ls` lists those that are')
        print(f'Cluster "{name}" is gone.')
    return 0


def _is_own(cluster: Cluster) -> bool:
    try:
        spec = homes.read_spec(cluster.layout)
    except KubariumError:  # damaged: whose it was is not known
        return False
    return spec is not None and spec.origin == str(programs_folder())


def ps(options: argparse.Namespace) -> int:
    """List the processes."""
    processes = Cluster(options.name).ps()
    used = usage([process.pid for process in processes if process.pid])
    if options.json:
        print(
            json.dumps(
                [asdict(row) | asdict(used[row.pid]) if row.pid in used else asdict(row) for row in processes]
            )
        )
        return 0
    rows = [
        (
            row.name,
            row.state,
            str(row.pid or "-"),
            ago(row.uptime_s) if row.pid else "-",
            str(row.restarts),
            f"{used[row.pid].cpu_s:.1f}s" if row.pid in used else "-",
            f"{used[row.pid].pss_bytes / 2**20:.1f}Mi" if row.pid in used else "-",
            row.last_exit or "-",
        )
        for row in processes
    ]
    print(table(("COMPONENT", "STATE", "PID", "UPTIME", "RESTARTS", "CPU", "MEMORY", "LAST EXIT"), rows))
    return 0


def logs(options: argparse.Namespace) -> int:
    """Print a log.

    Raises:
        KubariumError: the component has written nothing yet.
    """
    path = Cluster(options.name).log_file(options.component)
    if not path.exists():
        raise KubariumError(f"{options.component} has written nothing yet")
    if not options.follow:
        sys.stdout.write(path.read_text(errors="replace"))
        return 0
    for line in follow(path):
        sys.stdout.write(line)
        sys.stdout.flush()
    return 0


def kill(options: argparse.Namespace) -> int:
    """Kill a component or a machine."""
    return _done("killed", Cluster(options.name).kill(options.component, restart=options.restart))


def stop(options: argparse.Namespace) -> int:
    """Stop a component."""
    return _done("stopped", Cluster(options.name).stop(options.component))


def pause(options: argparse.Namespace) -> int:
    """Freeze a component."""
    return _done("paused", Cluster(options.name).pause(options.component))


def resume(options: argparse.Namespace) -> int:
    """Resume a component."""
    return _done("resumed", Cluster(options.name).resume(options.component))


def restart(options: argparse.Namespace) -> int:
    """Restart a component."""
    return _done("restarted", Cluster(options.name).restart(options.component))


def node_add(options: argparse.Namespace) -> int:
    """Add a node."""
    cluster = Cluster(options.name)
    name = cluster.add_node(options.node, cpu=options.cpu, memory=options.memory)
    began = WALL.monotonic_wall()
    cluster.wait_ready(nodes=[name])
    print(f"{name} is Ready after {WALL.monotonic_wall() - began:.1f} s")
    return 0


def node_rm(options: argparse.Namespace) -> int:
    """Remove a node."""
    Cluster(options.name).remove_node(options.node)
    print(f"{options.node} is gone")
    return 0


def node_ls(options: argparse.Namespace) -> int:
    """List the nodes."""
    cluster = Cluster(options.name)
    spec, states = cluster.spec, {process.name: process.state for process in cluster.ps()}
    addresses = Addresses(spec)
    rows = [
        (
            node.name,
            addresses.node(node),
            node.cpu or "machine's",
            node.memory or "machine's",
            ", ".join(
                f"{name.split('@')[0]} {state}"
                for name, state in states.items()
                if name.endswith(f"@{node.name}")
            ),
        )
        for node in spec.nodes
    ]
    print(table(("NODE", "ADDRESS", "CPU", "MEMORY", "PROCESSES"), rows))
    return 0


def kubeconfig(options: argparse.Namespace) -> int:
    """Print the kubeconfig's path.

    Raises:
        KubariumError: there is no such cluster.
    """
    cluster = Cluster(options.name)
    if not cluster.kubeconfig.exists():
        raise KubariumError(
            f'there is no cluster "{options.name}": `kubarium up --name {options.name}` starts one'
        )
    print(cluster.kubeconfig)
    return 0


def clusters(_: argparse.Namespace) -> int:
    """List the clusters."""
    rows = [_cluster_row(Cluster(name)) for name in homes.cluster_names()]
    print(table(("CLUSTER", "STATE", "RUNTIME", "NODES", "API"), rows))
    return 0


def _cluster_row(cluster: Cluster) -> tuple[str, str, str, str, str]:
    try:
        spec = homes.read_spec(cluster.layout)
    except KubariumError:
        spec = None
    if spec is None:
        return cluster.name, "damaged", "-", "-", "-"
    return cluster.name, _state(cluster), spec.runtime, str(len(spec.nodes)), Addresses(spec).rest_url


def _state(cluster: Cluster) -> str:
    try:
        return "running" if cluster.is_up() else "not running"
    except KubariumError:  # one of that name runs that is another folder's
        return "not running"


def _done(what: str, names: list[str]) -> int:
    for name in names:
        print(f"{name} {what}")
    return 0


def _say(text: str) -> None:
    print(f"  {text}", flush=True)

"""Clusters as wholes: begun, ended, stopped and started, listed and chosen."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kubarium import homes
from kubarium.beginning import begin
from kubarium.cli.tables import listing
from kubarium.cli.up_arguments import read_options, read_patience
from kubarium.cli.words import count_of, name_option, say
from kubarium.cluster import Cluster
from kubarium.core.addresses import Addresses
from kubarium.core.spec import ClusterSpec
from kubarium.errors import KubariumError
from kubarium.identity.kubeconfigs import merge, user_file
from kubarium.import_path import programs_folder
from kubarium.running import Running
from machinery.process.clock import WALL


def up(options: argparse.Namespace) -> int:
    """Start a cluster, or say that it runs.

    Raises:
        KubariumError: it cannot be started, or what runs is not what was asked for.
    """
    began = WALL.monotonic_wall()
    wanted = read_options(options)
    if getattr(options, "file", None):
        from kubarium.cluster_file import read_cluster_file  # YAML, which most commands do without

        document = read_cluster_file(Path(options.file))
        wanted = wanted.over(document.options)
        options.name = options.name or document.name or homes.current_name()
    begun = begin(Running(options.name), wanted, read_patience(options, say))
    if begun.is_new:
        took_s = WALL.monotonic_wall() - began
        _print_new(options.name, begun.spec, None if options.no_wait else took_s)
    for node in begun.added:
        print(f"{node} was added")
    _print_what_next(options.name)
    return 0


def _print_new(name: str, spec: ClusterSpec, took_s: float | None) -> None:
    """Say what was started, and how long it took; None: it was not waited for."""
    waits = f"is starting (`kubarium up{name_option(name)}` waits)"
    state = waits if took_s is None else f"is up after {took_s:.1f} s"
    print(f'Cluster "{name}" {state}: {_nodes_of(spec)}, {spec.runtime} runtime, {Addresses(spec).rest_url}')
    _print_published(spec.publish)


def _print_what_next(name: str) -> None:
    kubeconfig_file = Cluster(name).kubeconfig
    if not kubeconfig_file.exists():  # a machine that joined: the first one has the administrator's
        return
    print(f"\n  export KUBECONFIG={kubeconfig_file}")
    if shutil.which("kubarium") is None:
        print(f"  export PATH={Path(sys.argv[0]).resolve().parent}:$PATH")
    print("  kubectl get nodes")
    print(f"  kubarium ps{name_option(name)}\n  kubarium down{name_option(name)}")


def _print_published(publish: Sequence[str]) -> None:
    if publish:
        from kubarium.core.publications import read_publication  # few clusters have any

        for at in map(read_publication, publish):
            print(f"  {at.listens_at} → {at.target}")


def _nodes_of(spec: ClusterSpec) -> str:
    hollow = f" and {count_of(spec.hollow_names, 'hollow node')}" if spec.hollow_nodes else ""
    return f"{count_of(spec.nodes, 'node')}{hollow}"


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
        if not cluster.down(progress=say):
            raise KubariumError(f'there is no cluster "{name}": `kubarium ls` lists those that are')
        print(f'Cluster "{name}" is gone.')
    return 0


def _is_own(cluster: Cluster) -> bool:
    try:
        spec = homes.read_spec(cluster.layout)
    except KubariumError:  # damaged: whose it was is not known
        return False
    return spec is not None and spec.origin == str(programs_folder())


def start(options: argparse.Namespace) -> int:
    """Start a cluster as it was left.

    Raises:
        KubariumError: there is none.
    """
    if options.name not in homes.cluster_names():
        raise KubariumError(
            f'there is no cluster "{options.name}": `kubarium up --name {options.name}` makes one'
        )
    return up(options)


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


def use(options: argparse.Namespace) -> int:
    """Make a cluster the current one, or print which it is.

    Raises:
        KubariumError: there is no such cluster.
    """
    name = options.cluster or options.name
    if options.cluster or options.merge:
        if name not in homes.cluster_names():
            raise KubariumError(f'there is no cluster "{name}": `kubarium ls` lists those that are')
        homes.set_current(name)
    print(name)
    if options.merge:
        file = user_file()
        merge(Cluster(name).layout, file)
        print(
            f"its contexts are in {file}, and kubectl uses it; `kubarium down --name {name}` takes them out"
        )
    return 0


def clusters(options: argparse.Namespace) -> int:
    """List the clusters."""
    values = [_cluster_row(Cluster(name)) for name in homes.cluster_names()]
    rows = [[str(value) for value in each.values()] for each in values]
    print(listing(options.output, values, ("CLUSTER", "STATE", "RUNTIME", "NODES", "API"), rows), end="")
    return 0


def _cluster_row(cluster: Cluster) -> dict[str, Any]:
    try:
        spec = homes.read_spec(cluster.layout)
    except KubariumError:
        spec = None
    if spec is None:
        return {"name": cluster.name, "state": "damaged", "runtime": "-", "nodes": "-", "api": "-"}
    return {
        "name": cluster.name,
        "state": _state(cluster),
        "runtime": spec.runtime,
        "nodes": len(spec.nodes) + spec.hollow_nodes,
        "api": Addresses(spec).rest_url,
    }


def _state(cluster: Cluster) -> str:
    try:
        return "running" if cluster.is_up() else "not running"
    except KubariumError:  # one of that name runs that is another folder's
        return "not running"

"""The nodes of a cluster: added, removed, listed and given images; and those of further machines."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from kubarium.cli.tables import listing
from kubarium.cli.up_arguments import read_each_node
from kubarium.cli.words import count_of, say
from kubarium.cluster import Cluster
from kubarium.core.addresses import Addresses
from kubarium.core.spec import HOLLOW_NODES
from kubarium.core.spec_rules import ZONE
from machinery.process.clock import WALL


def node_add(options: argparse.Namespace) -> int:
    """Add a node."""
    cluster = Cluster(options.name)
    began = WALL.monotonic_wall()
    node = read_each_node(options)
    if options.zone:
        node["labels"] = {**node.get("labels", {}), ZONE: options.zone}
    name = cluster.add_node(options.node, bootstrap=options.bootstrap, **node)
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
    values = [
        msgspec.to_builtins(node)
        | {
            "address": addresses.node(node),
            "processes": {
                name.split("@")[0]: state for name, state in states.items() if name.endswith(f"@{node.name}")
            },
        }
        for node in spec.nodes
    ]
    values += [
        {"name": name, "address": "", "cpu": spec.hollow_cpu, "memory": spec.hollow_memory}
        | {"processes": {HOLLOW_NODES: power}}
        for name, power in (cluster.hollow_nodes() if spec.hollow_nodes else {}).items()
    ]
    rows = [
        (
            each["name"],
            each["address"] or "-",
            each["cpu"] or "machine's",
            each["memory"] or "machine's",
            ", ".join(f"{name} {state}" for name, state in each["processes"].items()),
        )
        for each in values
    ]
    print(listing(options.output, values, ("NODE", "ADDRESS", "CPU", "MEMORY", "PROCESSES"), rows), end="")
    return 0


def load(options: argparse.Namespace) -> int:
    """See to it that the nodes have images."""
    cluster = Cluster(options.name)
    has_registry = bool(cluster.spec.registry)
    wanted = [
        str(Path(each).absolute()) if each.startswith(("./", "../")) else each for each in options.image
    ]
    for each in cluster.load(wanted):
        place = f"; {each.pushed} in the registry ({each.digest})" if each.pushed else ""
        print(f"{each.image} is in the engine that all nodes share ({each.id}){place}")
    if not has_registry:
        print(
            "\nPods run it by this name, except with imagePullPolicy Always (the default of :latest), which asks a registry: "
            "`kubarium up --registry` makes a cluster that has one"
        )
    return 0


def token_create(options: argparse.Namespace) -> int:
    """Print the command by which another machine joins."""
    print(Cluster(options.name).create_token(ttl_s=options.ttl))
    return 0


def join(options: argparse.Namespace) -> int:
    """Bring nodes of this machine into the cluster of another one.

    Raises:
        KubariumError: it cannot be.
    """
    began = WALL.monotonic_wall()
    cluster = Cluster.join(
        options.door,
        token=options.token,
        ca_hash=options.ca_hash,
        name=options.given_name,
        nodes=options.nodes,
        wait=not options.no_wait,
        timeout_s=options.timeout,
        progress=say,
        **read_each_node(options),
    )
    spec, took_s = cluster.spec, WALL.monotonic_wall() - began
    print(f"{count_of(spec.nodes, 'node')} joined the cluster at {spec.joined} after {took_s:.1f} s")
    named = f" --name {spec.name}"
    print(f"  kubarium ps{named}\n  kubarium leave{named}")
    return 0


def leave(options: argparse.Namespace) -> int:
    """Remove this machine's nodes from the cluster that it joined."""
    Cluster(options.name).leave(progress=say)
    print("this machine has left")
    return 0

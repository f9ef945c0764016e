"""The commands: each takes the parsed arguments and returns an exit code.

What cannot be done ends with a KubariumError, whose words are for the user.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from kubarium import homes
from kubarium.beginning import begin
from kubarium.cli.completion import SCRIPTS, candidates
from kubarium.cli.tables import ago, listing
from kubarium.cli.up_arguments import read_each_node, read_options, read_patience
from kubarium.cluster import Cluster
from kubarium.core.addresses import Addresses
from kubarium.core.components import components
from kubarium.core.log_lines import LogLine, merged, read_lines, select_lines, written
from kubarium.core.places import LocalPlaces
from kubarium.core.spec import HOLLOW_NODES, ZONE, ClusterSpec
from kubarium.errors import KubariumError
from kubarium.host.usage import usage
from kubarium.identity.kubeconfigs import merge, user_file
from kubarium.import_path import programs_folder
from kubarium.logs import follow_all
from kubarium.running import Running
from machinery.process.clock import WALL

Run = Callable[[argparse.Namespace], int]


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
    begun = begin(Running(options.name), wanted, read_patience(options, _say))
    spec, kubeconfig_file = begun.spec, Cluster(options.name).kubeconfig
    if begun.is_new:
        took_s = WALL.monotonic_wall() - began
        state = (
            f"is starting (`kubarium up{_name(options)}` waits)"
            if options.no_wait
            else f"is up after {took_s:.1f} s"
        )
        print(
            f'Cluster "{options.name}" {state}: '
            f"{_nodes_of(spec)}, {spec.runtime} runtime, {Addresses(spec).rest_url}"
        )
    if begun.is_new:
        _print_published(spec.publish)
    for node in begun.added:
        print(f"{node} was added")
    if not kubeconfig_file.exists():  # a machine that joined: the first one has the administrator's
        return 0
    print(f"\n  export KUBECONFIG={kubeconfig_file}")
    if shutil.which("kubarium") is None:
        print(f"  export PATH={Path(sys.argv[0]).resolve().parent}:$PATH")
    print("  kubectl get nodes")
    print(f"  kubarium ps{_name(options)}\n  kubarium down{_name(options)}")
    return 0


def _print_published(publish: Sequence[str]) -> None:
    if publish:
        from kubarium.core.publications import read_publication  # few clusters have any

        for at in map(read_publication, publish):
            print(f"  {at.listens_at} → {at.target}")


def _nodes_of(spec: ClusterSpec) -> str:
    hollow = f" and {_count_of(spec.hollow_names, 'hollow node')}" if spec.hollow_nodes else ""
    return f"{_count_of(spec.nodes, 'node')}{hollow}"


def _count_of(things: Sized, name: str) -> str:
    return f"{len(things)} {name}" if len(things) == 1 else f"{len(things)} {name}s"


def _name(options: argparse.Namespace) -> str:
    return "" if options.name == homes.current_name() else f" --name {options.name}"


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
    values = [
        asdict(row) | (asdict(used[row.pid]) if row.pid in used else {"cpu_s": 0.0, "pss_bytes": 0})
        for row in processes
    ]
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
    head = ("COMPONENT", "STATE", "PID", "UPTIME", "RESTARTS", "CPU", "MEMORY", "LAST EXIT")
    print(listing("json" if options.json else options.output, values, head, rows), end="")
    return 0


def logs(options: argparse.Namespace) -> int:
    """Print the logs of some components or of all, follow them, or copy them.

    Raises:
        KubariumError: there is no such component, or none has written anything.
    """
    cluster = Cluster(options.name)
    paths = cluster.log_files(options.component)
    if options.export is not None:
        return _export(paths, Path(options.export))
    lines = {name: _lines_of(name, path) for name, path in paths.items() if path.exists()}
    if not lines and not options.follow:
        raise KubariumError(f"{', '.join(paths)}: nothing is written yet")
    since_s = None if options.since is None else WALL.wall_ns() / 1e9 - options.since
    chosen = [select_lines(each, tail=options.tail, since_s=since_s) for each in lines.values()]
    widths = {name: len(name) for name in paths}
    for line in merged(chosen):
        sys.stdout.write(written(line, widths))
    if options.follow:
        sys.stdout.flush()
        for name, text in follow_all(paths, {name: len(each) for name, each in lines.items()}):
            sys.stdout.write(written(LogLine(0, name, text), widths))
            sys.stdout.flush()
    return 0


def _lines_of(name: str, path: Path) -> list[LogLine]:
    with path.open(errors="replace") as file:
        return read_lines(name, file)


def _export(paths: Mapping[str, Path], folder: Path) -> int:
    """Copy logs into a folder, which is made.

    Raises:
        KubariumError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths.values():
            if path.exists():
                shutil.copyfile(path, folder / path.name)
    except OSError as error:
        raise KubariumError(f"--export {folder}: {error.strerror or error}") from error
    print(f"the logs are in {folder}")
    return 0


def kill(options: argparse.Namespace) -> int:
    """Kill components or machines."""
    return _each(options, "killed", partial(Cluster.kill, restart=options.restart))


def stop(options: argparse.Namespace) -> int:
    """Stop components, or the whole cluster where none is named; its state stays."""
    if options.component:
        return _each(options, "stopped", Cluster.stop)
    Cluster(options.name).halt(progress=_say)
    print(f'Cluster "{options.name}" is stopped; `kubarium start{_name(options)}` starts it as it was left.')
    return 0


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


def pause(options: argparse.Namespace) -> int:
    """Freeze components."""
    return _each(options, "paused", Cluster.pause)


def cut(options: argparse.Namespace) -> int:
    """Cut nodes off from the network."""
    return _each(options, "cut off", Cluster.cut)


def resume(options: argparse.Namespace) -> int:
    """Resume components."""
    return _each(options, "resumed", Cluster.resume)


def restart(options: argparse.Namespace) -> int:
    """Restart components."""
    return _each(options, "restarted", Cluster.restart)


def _each(options: argparse.Namespace, done: str, act: Callable[[Cluster, str], list[str]]) -> int:
    """Act on each component that is named; on none where one of them is not there."""
    cluster = Cluster(options.name)
    if len(options.component) > 1:
        cluster.require(options.component)
    for component in options.component:
        for name in act(cluster, component):
            print(f"{name} {done}")
    return 0


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
        progress=_say,
        **read_each_node(options),
    )
    spec, took_s = cluster.spec, WALL.monotonic_wall() - began
    print(f"{_count_of(spec.nodes, 'node')} joined the cluster at {spec.joined} after {took_s:.1f} s")
    named = f" --name {spec.name}"
    print(f"  kubarium ps{named}\n  kubarium leave{named}")
    return 0


def leave(options: argparse.Namespace) -> int:
    """Remove this machine's nodes from the cluster that it joined."""
    Cluster(options.name).leave(progress=_say)
    print("this machine has left")
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


def recommend(options: argparse.Namespace) -> int:
    """Say what containers should request, by what they were seen to use.

    Raises:
        KubariumError: there is no such cluster, it does not answer, or the file of before makes no sense.
    """
    from kubarium import recommendations  # seldom needed
    from kubarium.cli import recommended

    notes = recommendations.read_state(options.state)
    if options.for_s or not options.state:
        cluster = Cluster(options.name)
        namespace = "" if options.all_namespaces else options.namespace
        recommendations.observe(cluster.spec, cluster.layout, notes, namespace=namespace, for_s=options.for_s)
    if options.state:
        recommendations.write_state(options.state, notes)
    print(recommended.written(notes.recommendations(), options.output), end="")
    return 0


_NETPOL: Final = {"--from": "source", "--to": "target", "--port": "port"}


def explain(options: argparse.Namespace) -> int:
    """Say why a pod is where it is, or whether NetworkPolicies let a connection through; 1 where not.

    Raises:
        KubariumError: what is asked about makes no sense, is not there, or the cluster does not answer.
    """
    if options.what != "netpol":
        from kubarium.cli.simulate_command import explain_pod  # seldom needed, as what follows

        return explain_pod(options)
    missing = [flag for flag, given in _NETPOL.items() if not getattr(options, given)]
    if missing:
        raise KubariumError(f"netpol needs {', '.join(missing)}")
    from kubarium import explanations
    from kubarium.core.connections import read_door, read_end

    try:
        source = read_end(options.source, options.namespace)
        target = read_end(options.target, options.namespace)
        door = read_door(options.port)
    except ValueError as error:
        raise KubariumError(str(error)) from error
    cluster = Cluster(options.name)
    found = explanations.explain_policies(cluster.spec, cluster.layout, source, target, door)
    print(json.dumps(found.document(), indent=2) if options.output == "json" else "\n".join(found.lines()))
    return 0 if found.is_allowed else 1


def tunnel(options: argparse.Namespace) -> int:
    """Forward ports of this machine to Services until it is ended.

    Raises:
        KubariumError: a Service makes no sense or is not there, or the cluster does not answer.
    """
    from kubarium.core.tunnels import read_wanted  # seldom needed
    from kubarium.tunnels import tunnel as forward

    try:
        wanted = [read_wanted(each, options.namespace) for each in options.service]
    except ValueError as error:
        raise KubariumError(str(error)) from error
    cluster = Cluster(options.name)
    forward(cluster.spec, cluster.layout, wanted, _say)
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


def completion(options: argparse.Namespace) -> int:
    """Print a shell's script."""
    print(SCRIPTS[options.shell], end="")
    return 0


def complete(parser: argparse.ArgumentParser, words: Sequence[str]) -> int:
    """Print what the last word can become, as the shells' scripts ask."""
    for word, text in candidates(parser, words, _names):
        print(f"{word}\t{text}")
    return 0


def _names(what: str, cluster: str) -> list[str]:
    """List the names of clusters, or of a cluster's components and nodes, as their folders have them."""
    try:
        if what == "CLUSTER":
            return homes.cluster_names()
        layout = homes.layout_of(cluster or homes.current_name())
        spec = homes.read_spec(layout) if what in {"COMPONENT", "NODE"} else None
    except KubariumError:
        return []
    if spec is None:
        return []
    nodes = [node.name for node in spec.nodes]
    if what == "NODE":
        return nodes
    parts = [part.name for part in components(LocalPlaces(spec, layout))]
    return [*parts, *nodes, *spec.hollow_names]


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


def _say(text: str) -> None:
    print(f"  {text}", flush=True)

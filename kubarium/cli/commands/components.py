"""The components of a cluster: looked at, read, killed, stopped, frozen and cut off."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

from kubarium.cli.tables import ago, listing
from kubarium.cli.words import name_option, say
from kubarium.cluster import Cluster
from kubarium.core.log_lines import LogLine, merged, read_lines, select_lines, written
from kubarium.errors import KubariumError
from kubarium.host.usage import usage
from kubarium.logs import follow_all
from machinery.process.clock import WALL


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
    Cluster(options.name).halt(progress=say)
    print(
        f'Cluster "{options.name}" is stopped; `kubarium start{name_option(options.name)}` starts it as it was left.'
    )
    return 0


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

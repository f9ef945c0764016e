"""`python -m kubarium.supervisor`: run a cluster's processes until it goes down.

The handle starts this while it still prepares the cluster's folder, so that the imports are done by then: with
`--detach` it begins when it reads a line on standard input; where that ends without one there is nothing to do.
"""

from __future__ import annotations

import argparse
import os
import select
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from kubarium.core.components import components
from kubarium.core.layout import Layout
from kubarium.core.places import LocalPlaces
from kubarium.core.spec import ClusterSpec
from kubarium.errors import KubariumError
from kubarium.homes import read_spec
from kubarium.host import network
from kubarium.identity.pki import Pki, ensure_certificates
from kubarium.import_path import check, put_programs_first
from kubarium.supervisor.daemon import Daemon
from kubarium.supervisor.loading import import_shared, load_and_start
from kubarium.supervisor.node_machine import NodeMachine
from kubarium.supervisor.operations import Operations
from kubarium.supervisor.protocol import call


def main(argv: list[str] | None = None) -> int:
    """Run the supervisor of the cluster whose folders are given."""
    parser = argparse.ArgumentParser(prog="python -m kubarium.supervisor", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the cluster's folder, with its spec.json")
    parser.add_argument("--run", type=Path, required=True, help="the folder for its sockets")
    parser.add_argument(
        "--detach", action="store_true", help="go on in the background; return when it answers, or has failed"
    )
    options = parser.parse_args(argv)
    layout = Layout(options.home, options.run)
    put_programs_first()
    return detached(layout) if options.detach else supervising(layout)


def detached(layout: Layout[Path]) -> int:
    """Go on in the background; return when the supervisor answers, or has failed."""
    listening, telling = os.pipe()
    if child := os.fork():
        os.close(telling)
        return until_answering(layout, child, listening)
    os.close(listening)
    return supervising(layout, lambda: _tell(telling)) if told_to_begin(layout) else 0


def supervising(layout: Layout[Path], tell_listening: Callable[[], None] = lambda: None) -> int:
    """Run the supervisor to its end; return its exit code."""
    try:
        supervise(layout, tell_listening)
    except (KubariumError, OSError) as error:
        print(f"kubarium: {error}", file=sys.stderr)
        return 1
    return 0


def until_answering(layout: Layout[Path], child: int, listening: int) -> int:
    """Wait for the supervisor in process `child`; return 0 when it answers, its exit code where it ended.

    It writes to the pipe `listening` when it listens, and closes it by its end.
    """
    if os.read(listening, 1):
        with suppress(OSError, ValueError):
            call(layout.control, "ps")
            return 0
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) or 1


def _tell(descriptor: int) -> None:
    """Write a byte to a pipe, and close it: what is forked from here on does not have it."""
    with suppress(BrokenPipeError):  # whoever waited was told to give up; the cluster goes on
        os.write(descriptor, b"\n")
    os.close(descriptor)


def told_to_begin(layout: Layout[Path]) -> bool:
    """Import what all components share until the handle says begin; then leave its terminal and pipes."""
    os.setsid()
    import_shared(until=lambda: bool(select.select([0], [], [], 0)[0]))
    if not os.read(0, 1):
        return False
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(layout.log("supervisor"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(output)
    return True


def supervise(layout: Layout[Path], tell_listening: Callable[[], None]) -> None:
    """Start what the spec describes, in the order that makes it answer soonest, and serve.

    Raises:
        KubariumError: there is no spec, the programs are not ours, or another supervisor runs the cluster.
        OSError: a file or a socket cannot be had.
    """
    check()
    spec = read_spec(layout)
    if spec is None:
        raise KubariumError(f"there is no {layout.spec}")
    daemon = Daemon(spec.name, layout)
    operations = Operations(daemon, spec, layout, lambda now: LocalPlaces(now, layout))
    daemon.on_terminate = operations.power_off
    try:
        start(daemon, spec, layout, tell_listening)
        daemon.run()
    finally:
        daemon.close()


def start(
    daemon: Daemon, spec: ClusterSpec, layout: Layout[Path], tell_listening: Callable[[], None]
) -> None:
    """Launch etcd, which needs no import, while the rest is imported; each program as soon as it can.

    The apiserver listens on the backbone, the nodes' processes live in their namespaces: each comes before its users.
    """
    places = LocalPlaces(spec, layout)
    everything = components(places)
    ensure_certificates(everything, Pki(layout.pki))
    daemon.processes.add(everything)
    daemon.processes.adopt()
    daemon.processes.start_due()
    if spec.isolated:
        network.ensure_backbone(places.addresses)
    tell_listening()

    def prepare_nodes() -> None:
        if spec.isolated:
            network.ensure_nodes(places.addresses, spec.nodes)
        switch_on(daemon, places, layout)

    load_and_start(daemon, everything, prepare_nodes)


def switch_on(daemon: Daemon, places: LocalPlaces, layout: Layout[Path]) -> None:
    """Switch the nodes on; one that an earlier supervisor has frozen stays so.

    Raises:
        KubariumError: a node's cable does not obey.
    """
    table = daemon.processes.table
    for node in places.spec.nodes:
        parts = [process for name, process in table.items() if name.endswith(f"@{node.name}")]
        if not all(process.paused for process in parts):
            NodeMachine(node, places, layout).switch_on()


if __name__ == "__main__":
    sys.exit(main())

"""The begin of a cluster, whatever there is of it: started, started again as it was left, or given the nodes that it lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from kubarium.claims import cluster_locked
from kubarium.core.options.options import Options
from kubarium.core.spec import ClusterSpec
from kubarium.nodes import add_missing
from kubarium.patience import Patience
from kubarium.running import Running
from kubarium.starting import check_options, start
from machinery.process.clock import WALL

_HOLLOW_NODES_A_SECOND: Final = 25  # that at least become Ready: `up` is so much more patient


class Begun(NamedTuple):
    """What there is of a cluster after `begin`, and what was to be done for it."""

    spec: ClusterSpec
    is_new: bool  # whether it did not run before
    added: list[str]  # the nodes that were added to one that did


def begin(running: Running, options: Options, patience: Patience) -> Begun:
    """Start a cluster, or find it running, and wait for its nodes as `patience` says; return what was to be done for it.

    Raises:
        KubariumError: it cannot be; the message names the option, or says what is missing.
    """
    began = WALL.monotonic_wall()
    options = _from_here(options)
    check_options(options, running.name)
    patience.check()
    with cluster_locked(running.name, running.base, told=patience.progress) as waited:
        begun = _begin_locked(running, options, patience)
    if not patience.wait:
        return begun
    if waited or begun.is_new:
        _wait_ready(running, begun.spec, None, patience, began)
    elif begun.added:
        _wait_ready(running, begun.spec, begun.added, patience, began)
    if begun.spec.registry_port:
        from kubarium.registry import announce  # gRPC, which most commands do without

        announce(begun.spec, running.layout)
    return begun


def _from_here(options: Options) -> Options:
    """Return the options with paths that do not depend on the folder that the command runs in."""
    file = options.said.get("cni_conf")
    return Options.of(cni_conf=str(Path(file).absolute())).over(options) if file else options


def _begin_locked(running: Running, options: Options, patience: Patience) -> Begun:
    if running.is_up():
        patience.progress(f'cluster "{running.name}" is already running')
        added = add_missing(running, options)
        return Begun(running.spec(), is_new=False, added=added)
    spec = start(options, running.layout, home=running.home, patience=patience)
    if spec.bootstraps and not spec.joined:
        from kubarium.joining.bootstrapping import admit_token  # few clusters have such nodes

        admit_token(spec, running.layout, timeout_s=patience.timeout_s)
    if spec.has_dns and spec.dns == "deployment":
        from kubarium.dns_workload import deploy  # few clusters have it so

        deploy(spec, running.layout)
    return Begun(spec, is_new=True, added=[])


def _wait_ready(
    running: Running, spec: ClusterSpec, nodes: list[str] | None, patience: Patience, began: float
) -> None:
    from kubarium.waiting import wait_for_nodes  # gRPC, which most commands do without

    timeout_s = patience.timeout_s + spec.hollow_nodes / _HOLLOW_NODES_A_SECOND
    wait_for_nodes(
        spec, running.layout, nodes=nodes, timeout_s=timeout_s, began=began, progress=patience.progress
    )

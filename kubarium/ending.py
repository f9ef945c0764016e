"""The end of a cluster: in good order where its supervisor answers, and by force what is left of it in any case."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from kubarium import homes, remains
from kubarium.core.layout import Layout
from kubarium.core.spec import DOCKER_SOCKET, ClusterSpec
from kubarium.errors import KubariumError
from kubarium.host.containers import remove_containers
from kubarium.host.mounts import unmount_below
from kubarium.identity.kubeconfigs import merged_files, unmerge
from kubarium.patience import Progress
from kubarium.supervisor.protocol import call
from machinery.process.trees import remove_tree

_PATIENCE_S = 120.0
_KNOCK_S = 5.0


def end(name: str, layout: Layout[Path], *, progress: Progress) -> bool:
    """End everything that is a cluster's and say what was left of it; return whether anything was there.

    Raises:
        KubariumError: something could not be ended or removed; the message says what.
    """
    spec, was_there = _spec(layout, progress), layout.home.exists()
    _end_in_order(layout, progress)
    if left := remains.end_processes(layout):
        progress(f"ended what nobody had stopped: {', '.join(map(str, left))}")
    found = False
    if os.geteuid() == 0 and (spec is None or spec.isolated):
        found = _clear_nodes(name, layout, progress)
    if (spec and spec.isolated) or found:
        progress("removing the containers")
        engine = spec.docker_socket if spec else DOCKER_SOCKET
        remove_containers(name, docker_socket=engine, nodes=layout.nodes)
    _leave_kubeconfigs(layout, progress)
    _remove_folders(layout)
    homes.forget_current(name, layout.home.parent)
    return was_there or found or bool(left)


def halt(name: str, layout: Layout[Path], *, progress: Progress) -> bool:
    """End every process of a cluster and keep its folder; return whether anything ran.

    Raises:
        KubariumError: there is no such cluster, or its spec is damaged.
    """
    if homes.read_spec(layout) is None:
        raise KubariumError(f'there is no cluster "{name}": `kubarium ls` lists those that are')
    ran = _end_in_order(layout, progress, op="halt")
    if left := remains.end_processes(layout):
        progress(f"ended what nobody had stopped: {', '.join(map(str, left))}")
    layout.pids.unlink(missing_ok=True)
    return ran or bool(left)


def _spec(layout: Layout[Path], progress: Progress) -> ClusterSpec | None:
    """Return a cluster's spec; None where there is none that can be read."""
    try:
        return homes.read_spec(layout)
    except KubariumError:
        progress(f"{layout.spec} is damaged: ending what bears the cluster's name")
        return None


def _end_in_order(layout: Layout[Path], progress: Progress, *, op: str = "down") -> bool:
    """Ask the supervisor to go down; what does not answer is ended by force afterwards. Return whether it was there."""
    try:
        call(layout.control, "ps", home=str(layout.home), timeout_s=_KNOCK_S)
        progress("stopping the components")
        call(layout.control, op, home=str(layout.home), timeout_s=_PATIENCE_S, until_ended=True)
    except TimeoutError:
        progress("the supervisor does not answer: ending it and the components by force")
    except (OSError, ValueError):
        return False
    return True


def _clear_nodes(name: str, layout: Layout[Path], progress: Progress) -> bool:
    """Clear what nodes left, unless a cluster of that name in another folder runs; return whether there was anything."""
    if remains.others_of_name(name, layout):
        return False
    spaces, killed = remains.namespaces(name), remains.kill_cgroups(name)
    if killed:
        progress(f"killed {killed} processes that were left in its nodes' cgroups")
    if spaces:
        progress(f"removing network namespaces that were left: {', '.join(spaces)}")
        remains.remove_namespaces(spaces)
    return bool(spaces or killed)


def _leave_kubeconfigs(layout: Layout[Path], progress: Progress) -> None:
    """Remove the cluster's contexts from the user's kubeconfigs; one that cannot be changed stays as it is."""
    for file in merged_files(layout):
        try:
            unmerge(layout, file)
        except KubariumError as error:
            progress(f"the cluster's contexts stay in {file}: {error}")


def _remove_folders(layout: Layout[Path]) -> None:
    unmount_below(layout.home)
    for folder in (layout.home, layout.run):
        with suppress(OSError):
            remove_tree(folder)
        if folder.exists():
            raise KubariumError(f"{folder} could not be removed: see what is in it, and who owns it")

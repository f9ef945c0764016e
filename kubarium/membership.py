"""This machine's part of a cluster that another machine began: how it gets in, and out again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kubarium import homes, preflight
from kubarium.claims import cluster_locked
from kubarium.core.options.options import Options
from kubarium.core.spec import ClusterSpec
from kubarium.core.spec_rules import SpecError
from kubarium.ending import end
from kubarium.errors import KubariumError
from kubarium.handed_flags import check_kubelet_args
from kubarium.host.kernel import check_kernel
from kubarium.joining.asking import Joined, ask_to_join, write_credentials
from kubarium.nodes import remove_node
from kubarium.patience import Patience, Progress
from kubarium.running import Running
from kubarium.starting import start_joined
from kubarium.waiting import wait_for_nodes
from machinery.process.clock import WALL


@dataclass(frozen=True, slots=True)
class Invitation:
    """What `kubarium token create` told the user on the first machine."""

    door: str  # ADDRESS:PORT
    token: str
    authority_hash: str  # "sha256:…", of the public key of the cluster's authority


def join(
    invitation: Invitation, options: Options, *, name: str, home: Path | None, patience: Patience
) -> Running:
    """Bring nodes of this machine into a cluster, which is called `name` here, or as there where that is "".

    Raises:
        KubariumError: it cannot be; the message says why.
    """
    began = WALL.monotonic_wall()
    if name:
        _check_free(Running(name, home))
    patience.progress(f"asking {invitation.door}")
    joined = ask_to_join(invitation.door, invitation.token, invitation.authority_hash, name=name)
    spec = _with_nodes(joined, options)
    running = Running(spec.name, home)
    with cluster_locked(spec.name, running.base, told=patience.progress):
        _check_free(running)
        preflight.check_machine(spec, running.layout, home)
        check_kernel(spec, patience.progress)
        write_credentials(joined, running.layout, invitation.token)
        start_joined(spec, running.layout, progress=patience.progress)
    if patience.wait:
        wait_for_nodes(
            spec, running.layout, timeout_s=patience.timeout_s, began=began, progress=patience.progress
        )
    return running


def leave(running: Running, progress: Progress) -> None:
    """Remove this machine's nodes from the cluster that it joined, and all that was made for them here.

    Raises:
        KubariumError: it joined none, or the cluster does not answer, so that its nodes would stay there.
    """
    spec = running.spec()
    if not spec.joined:
        raise KubariumError(f'cluster "{running.name}" is this machine\'s own: `kubarium down` ends it')
    for node in spec.nodes:
        progress(f"taking {node.name} out")
        remove_node(running, node.name)
    end(running.name, running.layout, progress=progress)


def _with_nodes(joined: Joined, options: Options) -> ClusterSpec:
    try:
        spec = options.extended(joined.spec)
    except SpecError as error:
        raise KubariumError(str(error)) from error
    check_kubelet_args(node.kubelet_args for node in spec.nodes)
    return spec


def _check_free(running: Running) -> None:
    """Check that no cluster of that name is on this machine.

    Raises:
        KubariumError: there is one; the message says how it is ended.
    """
    if there := homes.read_spec(running.layout):
        raise KubariumError(
            f'there is a cluster "{there.name}" on this machine: '
            f"`kubarium {'leave' if there.joined else 'down'} --name {there.name}` ends it, "
            "`kubarium join --name OTHER` calls this one otherwise"
        )

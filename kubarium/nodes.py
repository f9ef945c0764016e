"""The nodes of a cluster that runs: they come, go, and are given images."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from kubarium.core.options.options import DeclaredNode, Options
from kubarium.core.places import LocalPlaces
from kubarium.core.spec import is_node_name
from kubarium.errors import KubariumError
from kubarium.handed_flags import check_kubelet_args
from kubarium.host.containers import LoadedImage, load_images, remove_containers
from kubarium.host.mounts import unmount_below
from kubarium.running import Running
from kubarium.starting import refuse_differences
from machinery.process.trees import remove_tree

_DELETE_PATIENCE_S: Final = 15.0  # for a Node object, by an apiserver that has just answered


def add_node(running: Running, node: DeclaredNode) -> str:
    """Add a node; return its name.

    Raises:
        KubariumError: it cannot be; the message names the option. Where no apiserver answers nothing is changed.
    """
    from kubarium.waiting import require_answer  # gRPC, which most commands do without

    check_kubelet_args([node.kubelet_args])
    require_answer(spec := running.spec(), running.layout)
    if node.bootstrap:
        from kubarium.identity.credentials import ensure_bootstrap_kubeconfig
        from kubarium.joining.bootstrapping import admit_token

        ensure_bootstrap_kubeconfig(LocalPlaces(spec, running.layout))
        admit_token(spec, running.layout)
    name = running.call("node_add", name=node.name, bootstrap=node.bootstrap, **node.declares)
    return str(name)


def add_missing(running: Running, options: Options) -> list[str]:
    """Add the nodes that were asked for and are not there; return their names.

    Raises:
        KubariumError: an option is not what the cluster has, or a node cannot be added.
    """
    spec = running.spec()
    refuse_differences(options, spec)
    return [add_node(running, node) for node in options.missing_nodes(spec)]


def remove_node(running: Running, name: str) -> None:
    """Switch a node off and take it out, with its Node object and its containers.

    A removal that was broken off goes on where it was: the node's folder goes last.

    Raises:
        KubariumError: there is no such node, or something of it could not be removed. Where no apiserver answers nothing
            is changed.
    """
    from kubarium.waiting import delete_node, require_answer  # gRPC, which most commands do without

    spec, folder = running.spec(), running.layout.node(name)
    was_begun = is_node_name(name) and folder.is_dir()
    is_there = any(node.name == name for node in spec.nodes)
    if was_begun or is_there:
        require_answer(spec, running.layout)
    if is_there or not was_begun:
        running.call("node_rm", name=name)
    if spec.runtime == "docker":
        remove_containers(running.name, name, docker_socket=spec.docker_socket, nodes=running.layout.nodes)
    delete_node(spec, running.layout, name, timeout_s=_DELETE_PATIENCE_S)
    unmount_below(folder)
    with suppress(OSError):  # `ls` and `down` find what is left
        remove_tree(folder)


def load(running: Running, images: Iterable[str]) -> list[LoadedImage]:
    """See to it that the nodes have images; return what the engine and the registry confirmed.

    Raises:
        KubariumError: the cluster's containers are simulated, or an image is not there or could not be pushed.
    """
    spec, wanted = running.spec(), list(images)
    if spec.runtime == "hollow":
        raise KubariumError(
            f'cluster "{running.name}" has the hollow runtime: its containers are simulated, and need no images'
        )
    if broken := [each for each in wanted if not each.strip() or "\n" in each]:
        raise KubariumError(f"{broken[0]!r} is no name of an image")
    return load_images(wanted, docker_socket=spec.docker_socket, registry=spec.registry)

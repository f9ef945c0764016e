"""What is to be done on the container engine, by the one program that knows it: dockershim, run for that alone."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

import msgspec

from kubarium.errors import KubariumError
from kubarium.program import command_of


def remove_containers(cluster: str, node: str = "", *, docker_socket: str, nodes: Path) -> None:
    """Remove the containers of a node, or of all nodes where none is named.

    `nodes` is the folder of the nodes' disks: what a dockershim had asked for when it was killed is waited for.

    Raises:
        KubariumError: they could not be removed; the message has what the engine says.
    """
    states = sorted(nodes.glob(f"{node or '*'}/dockershim"))
    command = [
        *command_of("dockershim"),
        "--purge",
        f"--cluster={cluster}",
        f"--node={node}",
        f"--docker-socket={docker_socket}",
        f"--purge-states={','.join(map(str, states))}",
    ]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        problem = done.stderr.strip() or f"exit code {done.returncode}"
        raise KubariumError(f"the cluster's containers could not be removed: {problem}")


class LoadedImage(msgspec.Struct, frozen=True):
    """An image that the engine has, as it said."""

    image: str
    id: str
    pushed: str = ""  # its name in the registry, and the digest by which that has it; "" where there is none
    digest: str = ""


def load_images(wanted: Iterable[str], *, docker_socket: str, registry: str = "") -> list[LoadedImage]:
    """Look images up in the engine's store, or load archives into it, and push each to the registry where there is one.

    Raises:
        KubariumError: one is not there or could not be pushed; the message has what the engine says.
    """
    command = [
        *command_of("dockershim"),
        "--load",
        f"--docker-socket={docker_socket}",
        *([f"--registry={registry}"] if registry else []),
    ]
    text = "".join(f"{each}\n" for each in wanted)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        problem = done.stderr.strip().removeprefix("dockershim: ") or f"exit code {done.returncode}"
        raise KubariumError(f"not every image could be loaded: {problem}")
    return [msgspec.json.decode(line, type=LoadedImage) for line in done.stdout.splitlines()]

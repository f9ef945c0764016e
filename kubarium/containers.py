"""What a cluster left on the container engine, removed by the one program that knows the engine."""

from __future__ import annotations

import subprocess
from pathlib import Path

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

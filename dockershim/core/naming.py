"""Names of containers on the engine, and the labels by which several dockershims share one.

A name is a function of the CRI metadata (as cri-dockerd has it), so to create the same thing twice is to find
what the first attempt left, also across a kill of this process.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from machinery.pb import cri_pb2 as cri

CLUSTER: Final = "kubarium.cluster"
NODE: Final = "kubarium.node"
KIND: Final = "kubarium.kind"
SANDBOX: Final = "kubarium.sandbox"  # on a container: the id of its sandbox
HANDLER: Final = "kubarium.runtime-handler"
IMAGE_VOLUMES: Final = "kubarium.image-volumes"  # on a container: the keys of the images that it mounts
CONFIG: Final = "kubarium.config"  # the CRI configuration, base64: what a status has to give back
KIND_SANDBOX: Final = "podsandbox"
KIND_CONTAINER: Final = "container"
KIND_IMAGE_VOLUME: Final = "imagevolume"  # one that never runs: an image's files are copied from it
_SHOWN: Final = "io.kubernetes."  # CRI labels that stand on the engine's container as they are


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose containers these are."""

    cluster: str
    node: str = ""  # "" is every node of the cluster

    @property
    def selectors(self) -> list[str]:
        """Write it as label filters of the engine."""
        return [f"{CLUSTER}={self.cluster}", *([f"{NODE}={self.node}"] if self.node else [])]

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether a container with these labels is one of ours."""
        return labels.get(CLUSTER) == self.cluster and self.node in {"", labels.get(NODE)}


def sandbox_name(metadata: Any) -> str:
    """Name a sandbox: k8s_POD_<pod>_<namespace>_<uid>_<attempt>."""
    return f"k8s_POD_{metadata.name}_{metadata.namespace}_{metadata.uid}_{metadata.attempt}"


def container_name(metadata: Any, pod: Any) -> str:
    """Name a container: k8s_<container>_<pod>_<namespace>_<uid>_<attempt>."""
    return f"k8s_{metadata.name}_{pod.name}_{pod.namespace}_{pod.uid}_{metadata.attempt}"


def sandbox_labels(scope: Scope, config: Any, runtime_handler: str) -> dict[str, str]:
    """Return the labels of a sandbox."""
    own = {KIND: KIND_SANDBOX, HANDLER: runtime_handler, CONFIG: _pack(config)}
    return {**_shown(config.labels), CLUSTER: scope.cluster, NODE: scope.node, **own}


def container_labels(scope: Scope, config: Any, sandbox_id: str) -> dict[str, str]:
    """Return the labels of a container. What no status needs (its environment) is not repeated in them."""
    kept = cri.ContainerConfig()
    kept.CopyFrom(config)
    for field in ("envs", "command", "args", "devices"):
        kept.ClearField(field)
    own = {KIND: KIND_CONTAINER, SANDBOX: sandbox_id, CONFIG: _pack(kept)}
    return {**_shown(config.labels), CLUSTER: scope.cluster, NODE: scope.node, **own}


def image_volume_labels(scope: Scope) -> dict[str, str]:
    """Return the labels of a container that is made for an image's files."""
    return {CLUSTER: scope.cluster, NODE: scope.node, KIND: KIND_IMAGE_VOLUME}


def read_sandbox_config(labels: Mapping[str, str]) -> Any:
    """Read the configuration that a sandbox was made with."""
    return cri.PodSandboxConfig.FromString(base64.b64decode(labels.get(CONFIG, "")))


def read_container_config(labels: Mapping[str, str]) -> Any:
    """Read the configuration that a container was made with, without its environment and command."""
    return cri.ContainerConfig.FromString(base64.b64decode(labels.get(CONFIG, "")))


def _shown(labels: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if key.startswith(_SHOWN)}


def _pack(message: Any) -> str:
    return base64.b64encode(message.SerializeToString()).decode()

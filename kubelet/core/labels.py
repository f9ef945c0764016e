"""How a pod and its containers are marked in the runtime, so that a kubelet knows them again.

Labels say whose an object is, annotations what a kubelet that starts again has to know even where the pod has
left the API meanwhile: how often a container was restarted, how it wants to be stopped. The keys are upstream's,
so that node tools (crictl, log collectors) find what they look for; only the role of an init container is ours, for
runtimes whose containers have no command to do (the hollow one).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from machinery.model.k8s.core_v1 import Container, ContainerPort, LifecycleHandler, Pod
from machinery.model.pods import is_sidecar

T = TypeVar("T")

POD_NAME: Final = "io.kubernetes.pod.name"
POD_NAMESPACE: Final = "io.kubernetes.pod.namespace"
POD_UID: Final = "io.kubernetes.pod.uid"
CONTAINER_NAME: Final = "io.kubernetes.container.name"

HASH: Final = "io.kubernetes.container.hash"
RESTART_COUNT: Final = "io.kubernetes.container.restartCount"
MESSAGE_PATH: Final = "io.kubernetes.container.terminationMessagePath"
MESSAGE_POLICY: Final = "io.kubernetes.container.terminationMessagePolicy"
PRE_STOP: Final = "io.kubernetes.container.preStopHandler"
PORTS: Final = "io.kubernetes.container.ports"
ROLE: Final = "kubarium.dev/container-role"
INIT: Final = "init"  # it is to do its work and end; a sidecar has no role
DELETION_GRACE: Final = "io.kubernetes.pod.deletionGracePeriod"
GRACE: Final = "io.kubernetes.pod.terminationGracePeriod"

CONFIG_SEEN: Final = "kubernetes.io/config.seen"
CONFIG_SOURCE: Final = "kubernetes.io/config.source"

_FNV_OFFSET: Final = 0x811C9DC5
_FNV_PRIME: Final = 0x01000193


def sandbox_labels(pod: Pod) -> dict[str, str]:
    """Return the labels of a pod's sandbox: the pod's own, and whose it is."""
    return {**pod.metadata.labels, **_identity(pod)}


def sandbox_annotations(pod: Pod, *, seen_text: str) -> dict[str, str]:
    """Return the annotations of a pod's sandbox: the pod's own, and when and from where it came (RFC 3339)."""
    return {**pod.metadata.annotations, CONFIG_SEEN: seen_text, CONFIG_SOURCE: "api"}


def container_labels(pod: Pod, container: Container) -> dict[str, str]:
    """Return the labels of a container."""
    return {**_identity(pod), CONTAINER_NAME: container.name}


def container_annotations(pod: Pod, container: Container, *, restart_count: int) -> dict[str, str]:
    """Return the annotations of a container."""
    found = {
        HASH: container_hash(container),
        RESTART_COUNT: str(restart_count),
        MESSAGE_PATH: container.terminationMessagePath,
        MESSAGE_POLICY: container.terminationMessagePolicy,
    }
    if is_plain_init(pod, container):
        found[ROLE] = INIT
    if pod.metadata.deletionGracePeriodSeconds is not None:
        found[DELETION_GRACE] = str(pod.metadata.deletionGracePeriodSeconds)
    if pod.spec.terminationGracePeriodSeconds is not None:
        found[GRACE] = str(pod.spec.terminationGracePeriodSeconds)
    if container.lifecycle and container.lifecycle.preStop:
        found[PRE_STOP] = msgspec.json.encode(container.lifecycle.preStop).decode()
    if container.ports:
        found[PORTS] = msgspec.json.encode(container.ports).decode()
    return found


def container_hash(container: Container) -> str:
    """Return what changes when a running container has to be replaced: its name or its image (FNV-1a, 32 bits)."""
    text = msgspec.json.encode({"image": container.image, "name": container.name})
    value = _FNV_OFFSET
    for byte in text:
        value = ((value ^ byte) * _FNV_PRIME) & 0xFFFFFFFF
    return f"{value:x}"


def read_restart_count(annotations: Mapping[str, str], attempt: int) -> int:
    """Read how often a container was restarted; what is no number counts as the attempt."""
    text = annotations.get(RESTART_COUNT, "")
    return int(text) if text.isascii() and text.isdigit() else attempt


def read_grace_s(annotations: Mapping[str, str]) -> int | None:
    """Read the grace period that a container was promised, in cluster seconds; None where none is written."""
    for key in (DELETION_GRACE, GRACE):
        text = annotations.get(key, "")
        if text.isascii() and text.isdigit():
            return int(text)
    return None


def read_pre_stop(annotations: Mapping[str, str]) -> LifecycleHandler | None:
    """Read a container's preStop handler; what cannot be read is none."""
    return _decode(annotations.get(PRE_STOP, ""), LifecycleHandler)


def read_ports(annotations: Mapping[str, str]) -> list[ContainerPort]:
    """Read a container's ports, which a handler may name."""
    return _decode(annotations.get(PORTS, ""), list[ContainerPort]) or []


def is_plain_init(pod: Pod, container: Container) -> bool:
    """Whether a container is to end before the main containers start."""
    return not is_sidecar(container) and any(each.name == container.name for each in pod.spec.initContainers)


def _identity(pod: Pod) -> dict[str, str]:
    meta = pod.metadata
    return {POD_NAME: meta.name, POD_NAMESPACE: meta.namespace, POD_UID: meta.uid}


def _decode(text: str, kind: type[T]) -> T | None:
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError:
        return None

"""Which pods take more of the node's disk than they may.

https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#resource-emphemeralstorage-consumption
An emptyDir in memory has the size of its tmpfs, which the kernel holds it to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from typing import Final, NamedTuple

from kubelet.core.eviction import words
from kubelet.core.eviction.usage import PodDisk
from machinery.model import quantity
from machinery.model.k8s.core_v1 import Container, Pod, Volume
from machinery.model.pods import container_limits, limits

EPHEMERAL_STORAGE: Final = "ephemeral-storage"
OF_EMPTY_DIR: Final = "emptydirfs.limit"  # as kubelet_evictions calls them
OF_POD: Final = "ephemeralpodfs.limit"
OF_CONTAINER: Final = "ephemeralcontainerfs.limit"


class Excess(NamedTuple):
    """Why a pod has to go."""

    signal: str
    message: str


def is_limited(pod: Pod) -> bool:
    """Whether anything of a pod's disk is limited: only then it has to be measured."""
    return bool(_limited_volumes(pod)) or has_storage_limit(pod)


def has_storage_limit(pod: Pod) -> bool:
    """Whether a container has a limit for ephemeral storage: then all that the pod has written counts."""
    return any(_has_limit(each) for each in (*pod.spec.containers, *pod.spec.initContainers))


def volumes_on_disk(pod: Pod) -> list[Volume]:
    """Return the volumes whose content lies on the node's disk and belongs to the pod."""
    return [each for each in pod.spec.volumes if each.emptyDir is not None and each.emptyDir.medium == ""]


def find_excess(pod: Pod, disk: PodDisk) -> Excess | None:
    """Return what a pod exceeds, in the order in which Kubernetes looks; None where it keeps to its limits."""
    return next(chain(_of_volumes(pod, disk), _of_pod(pod, disk), _of_containers(pod, disk)), None)


def _of_volumes(pod: Pod, disk: PodDisk) -> Iterator[Excess]:
    for volume in _limited_volumes(pod):
        text = volume.emptyDir.sizeLimit if volume.emptyDir else ""
        used = disk.volumes.get(volume.name)
        if used is not None and used.used_bytes > quantity.parse(text):
            yield Excess(OF_EMPTY_DIR, words.empty_dir(volume.name, text))


def _of_pod(pod: Pod, disk: PodDisk) -> Iterator[Excess]:
    limit = limits(pod).ephemeral_bytes
    if has_storage_limit(pod) and disk.total.used_bytes > limit:
        yield Excess(OF_POD, words.pod_limit(_text_of_sum(pod, limit)))


def _of_containers(pod: Pod, disk: PodDisk) -> Iterator[Excess]:
    for container in pod.spec.containers:
        limit = container_limits(container).ephemeral_bytes
        used = disk.containers.get(container.name)
        if limit and used is not None and used.total.used_bytes > limit:
            text = container.resources.limits[EPHEMERAL_STORAGE] if container.resources else ""
            yield Excess(OF_CONTAINER, words.container_limit(container.name, text))


def _limited_volumes(pod: Pod) -> list[Volume]:
    limited = (each for each in volumes_on_disk(pod) if each.emptyDir and each.emptyDir.sizeLimit)
    return [each for each in limited if each.emptyDir and quantity.parse(each.emptyDir.sizeLimit) > 0]


def _has_limit(container: Container) -> bool:
    return container.resources is not None and EPHEMERAL_STORAGE in container.resources.limits


def _text_of_sum(pod: Pod, limit: int) -> str:
    """Write a sum in the family of what was summed up."""
    texts = [each.resources.limits[EPHEMERAL_STORAGE] for each in _limited(pod) if each.resources]
    family = quantity.parse_in_family(texts[0])[1]
    return quantity.format_amount(Fraction(limit), family)


def _limited(pod: Pod) -> Iterable[Container]:
    return (each for each in (*pod.spec.containers, *pod.spec.initContainers) if _has_limit(each))

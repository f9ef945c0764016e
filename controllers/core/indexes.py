"""Indexes of pods that several controllers share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from machinery.model.k8s.core_v1 import Pod
from machinery.model.owners import controller_of

BY_CONTROLLER: Final = "controller"  # their controller's uid, or `orphans_of` their namespace
BY_NODE: Final = "node"  # the name of the node that they are assigned to


def by_controller(pod: Pod) -> Iterable[str]:
    """Index pods by what controls them."""
    controller = controller_of(pod.metadata)
    return (controller.uid if controller else orphans_of(pod.metadata.namespace),)


def orphans_of(namespace: str) -> str:
    """Name the index entry of a namespace's pods that nobody controls."""
    return f"orphans/{namespace}"


def by_node(pod: Pod) -> Iterable[str]:
    """Index pods by the node that they are assigned to."""
    return (pod.spec.nodeName,) if pod.spec.nodeName else ()

"""Constraints that Kubernetes knows and no plugin here understands: such a pod stays Pending and says why.

Preferences among them count, too: a pod that was placed without regard to one would look well placed.
"""

from __future__ import annotations

from collections.abc import Iterator

from machinery.model.k8s.core_v1 import PodSpec


def unbuilt_constraints(spec: PodSpec) -> tuple[str, ...]:
    """List the fields of a spec that constrain the choice of a node and are not understood."""
    return tuple(f"{field} is not built in Kubarium" for field in _fields(spec))


def _fields(spec: PodSpec) -> Iterator[str]:
    if spec.schedulingGroup:
        yield "scheduling by spec.schedulingGroup"

"""What events of a pod and its containers are about."""

from __future__ import annotations

from machinery.model.k8s.core_v1 import ObjectReference, Pod
from machinery.model.requests import reference_by_kind


def pod_reference(pod: Pod) -> ObjectReference:
    """Write a reference to a pod as a whole."""
    return reference_by_kind("v1", "Pod", pod.metadata)


def container_reference(pod: Pod, container: str) -> ObjectReference:
    """Write a reference to one container: the pod, and `spec.containers{name}` as the field."""
    return reference_by_kind("v1", "Pod", pod.metadata, field_path=_field_path(pod, container))


def _field_path(pod: Pod, container: str) -> str:
    spec = pod.spec
    names = {
        "initContainers": [item.name for item in spec.initContainers],
        "containers": [item.name for item in spec.containers],
        "ephemeralContainers": [item.name for item in spec.ephemeralContainers],
    }
    return next((f"spec.{field}{{{container}}}" for field in names if container in names[field]), "")

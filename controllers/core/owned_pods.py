"""The pods that workloads own: made from a template, deleted, and how long one has been ready."""

from __future__ import annotations

from controllers.core.actions import Create, Delete, delete, event
from controllers.core.moment import Moment
from controllers.core.workloads import NEW_PODS, NewPod, Template, template_labels
from machinery.model.conditions import find
from machinery.model.k8s.core_v1 import Pod
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.owners import owner_reference
from machinery.model.resources import PODS, KubeObject


def pod_of_template(owner: KubeObject, template: Template) -> NewPod:
    """Write the pod that a template describes: its spec untouched, of its metadata what the API allows."""
    metadata = template.get("metadata") or {}
    return NewPod(
        metadata=ObjectMeta(
            generateName=f"{owner.metadata.name}-",
            namespace=owner.metadata.namespace,
            labels=dict(template_labels(template)),
            annotations=dict(metadata.get("annotations") or {}),
            finalizers=list(metadata.get("finalizers") or []),
            ownerReferences=[owner_reference(owner)],
        ),
        spec=template.get("spec") or {},
    )


def creation(owner: KubeObject, pod: NewPod) -> Create:
    """Make a pod, and say of its owner how that went."""
    return Create(
        NEW_PODS,
        pod,
        on_success=event(owner, "Normal", "SuccessfulCreate", "Created pod: {name}"),
        on_failure=event(owner, "Warning", "FailedCreate", "Error creating: {error}"),
    )


def deletion(owner: KubeObject, pod: Pod) -> Delete:
    """Delete a pod, and say of its owner how that went."""
    return delete(
        PODS,
        pod,
        on_success=event(owner, "Normal", "SuccessfulDelete", "Deleted pod: {name}"),
        on_failure=event(owner, "Warning", "FailedDelete", "Error deleting: {error}"),
    )


def available_in(pod: Pod, min_ready_s: int, moment: Moment) -> float | None:
    """Return the seconds until a pod has been ready long enough: 0 where it has, None where it is not ready."""
    condition = find(pod.status.conditions, "Ready")
    if condition is None or condition.status != "True":
        return None
    if min_ready_s <= 0:
        return 0
    if not condition.lastTransitionTime:
        return None
    return max(0.0, min_ready_s - moment.since(condition.lastTransitionTime))


def is_available(pod: Pod, min_ready_s: int, moment: Moment) -> bool:
    """Whether a pod has been ready long enough."""
    return available_in(pod, min_ready_s, moment) == 0

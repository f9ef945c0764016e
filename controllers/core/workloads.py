"""Workloads and Pods as their controllers see them: with the user's template untouched.

The generated Structs drop fields that they do not know. A pod has to carry every field of its template, so here
the template (and the spec of a pod that is created from it) stays the JSON document that it is.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from machinery.model.k8s.apps_v1 import (
    DaemonSetStatus,
    DaemonSetUpdateStrategy,
    DeploymentStatus,
    DeploymentStrategy,
    ReplicaSetStatus,
    StatefulSetOrdinals,
    StatefulSetPersistentVolumeClaimRetentionPolicy,
    StatefulSetStatus,
    StatefulSetUpdateStrategy,
)
from machinery.model.k8s.meta_v1 import LabelSelector, ObjectMeta
from machinery.model.resources import Resource

Template = dict[str, Any]  # a PodTemplateSpec, or a claim's: {"metadata": …, "spec": …}


class DeploymentSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """apps/v1 DeploymentSpec with its template as a document."""

    minReadySeconds: int = 0
    paused: bool = False
    progressDeadlineSeconds: int | None = None
    replicas: int = 1
    revisionHistoryLimit: int | None = None
    selector: LabelSelector = LabelSelector()
    strategy: DeploymentStrategy = DeploymentStrategy()
    template: Template = {}


class Deployment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """apps/v1 Deployment."""

    apiVersion: str = msgspec.field(default_factory=lambda: "apps/v1")
    kind: str = msgspec.field(default_factory=lambda: "Deployment")
    metadata: ObjectMeta = ObjectMeta()
    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()


class ReplicaSetSpec(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """apps/v1 ReplicaSetSpec with its template as a document. Zero replicas are written: absent means one."""

    minReadySeconds: int = 0
    replicas: int = 1
    selector: LabelSelector = LabelSelector()
    template: Template = {}


class ReplicaSet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """apps/v1 ReplicaSet."""

    apiVersion: str = msgspec.field(default_factory=lambda: "apps/v1")
    kind: str = msgspec.field(default_factory=lambda: "ReplicaSet")
    metadata: ObjectMeta = ObjectMeta()
    spec: ReplicaSetSpec = ReplicaSetSpec()
    status: ReplicaSetStatus = msgspec.field(default_factory=lambda: ReplicaSetStatus(replicas=0))


class ReplicationControllerSpec(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """core/v1 ReplicationControllerSpec with its template as a document, and its selector as the others have it."""

    minReadySeconds: int = 0
    replicas: int = 1
    labels: dict[str, str] = msgspec.field(name="selector", default_factory=dict)
    template: Template = {}

    @property
    def selector(self) -> LabelSelector:
        """Return the selector, which is a map of labels in the API."""
        return LabelSelector(matchLabels=self.labels)


class ReplicationController(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """core/v1 ReplicationController; its status has all counts of a ReplicaSet's except for terminatingReplicas."""

    apiVersion: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "ReplicationController")
    metadata: ObjectMeta = ObjectMeta()
    spec: ReplicationControllerSpec = ReplicationControllerSpec()
    status: ReplicaSetStatus = msgspec.field(default_factory=lambda: ReplicaSetStatus(replicas=0))


class DaemonSetSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """apps/v1 DaemonSetSpec with its template as a document."""

    minReadySeconds: int = 0
    revisionHistoryLimit: int | None = None
    selector: LabelSelector = LabelSelector()
    template: Template = {}
    updateStrategy: DaemonSetUpdateStrategy = DaemonSetUpdateStrategy()


class DaemonSet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """apps/v1 DaemonSet."""

    apiVersion: str = msgspec.field(default_factory=lambda: "apps/v1")
    kind: str = msgspec.field(default_factory=lambda: "DaemonSet")
    metadata: ObjectMeta = ObjectMeta()
    spec: DaemonSetSpec = DaemonSetSpec()
    status: DaemonSetStatus = msgspec.field(
        default_factory=lambda: DaemonSetStatus(
            currentNumberScheduled=0, desiredNumberScheduled=0, numberMisscheduled=0, numberReady=0
        )
    )


class StatefulSetSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """apps/v1 StatefulSetSpec with its templates as documents."""

    minReadySeconds: int = 0
    ordinals: StatefulSetOrdinals = StatefulSetOrdinals()
    persistentVolumeClaimRetentionPolicy: StatefulSetPersistentVolumeClaimRetentionPolicy = (
        StatefulSetPersistentVolumeClaimRetentionPolicy()
    )
    podManagementPolicy: str = "OrderedReady"
    replicas: int = 1
    revisionHistoryLimit: int | None = None
    selector: LabelSelector = LabelSelector()
    serviceName: str = ""
    template: Template = {}
    updateStrategy: StatefulSetUpdateStrategy = StatefulSetUpdateStrategy()
    volumeClaimTemplates: list[Template] = []


class StatefulSet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """apps/v1 StatefulSet."""

    apiVersion: str = msgspec.field(default_factory=lambda: "apps/v1")
    kind: str = msgspec.field(default_factory=lambda: "StatefulSet")
    metadata: ObjectMeta = ObjectMeta()
    spec: StatefulSetSpec = StatefulSetSpec()
    status: StatefulSetStatus = msgspec.field(default_factory=lambda: StatefulSetStatus(replicas=0))


class NewPod(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A Pod to be created: its spec is the template's, field for field."""

    apiVersion: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "Pod")
    metadata: ObjectMeta = ObjectMeta()
    spec: dict[str, Any] = {}


DEPLOYMENTS: Final = Resource("apps", "v1", "deployments", "Deployment", namespaced=True, type=Deployment)
REPLICA_SETS: Final = Resource("apps", "v1", "replicasets", "ReplicaSet", namespaced=True, type=ReplicaSet)
REPLICATION_CONTROLLERS: Final = Resource(
    "", "v1", "replicationcontrollers", "ReplicationController", namespaced=True, type=ReplicationController
)
DAEMON_SETS: Final = Resource("apps", "v1", "daemonsets", "DaemonSet", namespaced=True, type=DaemonSet)
STATEFUL_SETS: Final = Resource(
    "apps", "v1", "statefulsets", "StatefulSet", namespaced=True, type=StatefulSet
)
NEW_PODS: Final = Resource("", "v1", "pods", "Pod", namespaced=True, type=NewPod)


def template_labels(template: Template) -> dict[str, str]:
    """Return the labels that a template puts on its pods."""
    labels: dict[str, str] = (template.get("metadata") or {}).get("labels") or {}
    return labels


def with_label(template: Template, key: str, value: str | None) -> Template:
    """Return the template with a label set, or with none of that key."""
    metadata = template.get("metadata") or {}
    labels = {name: text for name, text in template_labels(template).items() if name != key}
    if value is not None:
        labels[key] = value
    return template | {"metadata": metadata | {"labels": labels}}


def without_nulls(value: Any) -> Any:
    """Return a document without its nulls, which mean the same as absence."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value

"""Kubernetes v1.36.0 apps/v1, made by tools/gen_k8s.py; not to be edited."""

# ruff: noqa
from __future__ import annotations

import msgspec

from machinery.model.k8s import core_v1, meta_v1


class RollingUpdateDaemonSet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.apps.v1.RollingUpdateDaemonSet."""

    maxSurge: int | str | None = None
    maxUnavailable: int | str | None = None


class DaemonSetUpdateStrategy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.apps.v1.DaemonSetUpdateStrategy."""

    rollingUpdate: RollingUpdateDaemonSet | None = None
    type: str = ""


class DaemonSetSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.apps.v1.DaemonSetSpec."""

    minReadySeconds: int | None = None
    revisionHistoryLimit: int | None = None
    selector: meta_v1.LabelSelector
    template: core_v1.PodTemplateSpec
    updateStrategy: DaemonSetUpdateStrategy | None = None


class DaemonSetCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.apps.v1.DaemonSetCondition."""

    lastTransitionTime: str | None = None
    message: str = ""
    reason: str = ""
    status: str
    type: str


class DaemonSetStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.apps.v1.DaemonSetStatus."""

    collisionCount: int | None = None
    conditions: list[DaemonSetCondition] = []
    currentNumberScheduled: int
    desiredNumberScheduled: int
    numberAvailable: int | None = None
    numberMisscheduled: int
    numberReady: int
    numberUnavailable: int | None = None
    observedGeneration: int | None = None
    updatedNumberScheduled: int | None = None


class DaemonSet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.apps.v1.DaemonSet."""

    apiVersion: str = msgspec.field(default_factory=lambda: "apps/v1")
    kind: str = msgspec.field(default_factory=lambda: "DaemonSet")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: DaemonSetSpec
    status: DaemonSetStatus


class RollingUpdateDeployment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.apps.v1.RollingUpdateDeployment."""

    maxSurge: int | str | None = None
    maxUnavailable: int | str | None = None


class DeploymentStrategy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.apps.v1.DeploymentStrategy."""

    rollingUpdate: RollingUpdateDeployment | None = None
    type: str = ""


class DeploymentSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.apps.v1.DeploymentSpec."""

    minReadySeconds: int | None = None
    paused: bool | None = None
    progressDeadlineSeconds: int | None = None
    replicas: int | None = None
    revisionHistoryLimit: int | None = None
    selector: meta_v1.LabelSelector
    strategy: DeploymentStrategy | None = None
    template: core_v1.PodTemplateSpec


class DeploymentCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.apps.v1.DeploymentCondition."""

    lastTransitionTime: str | None = None
    lastUpdateTime: str | None = None
    message: str = ""
    reason: str = ""
    status: str
    type: str


class DeploymentStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.apps.v1.DeploymentStatus."""

    availableReplicas: int | None = None
    collisionCount: int | None = None
    conditions: list[DeploymentCondition] = []
    observedGeneration: int | None = None
    readyReplicas: int | None = None
    replicas: int | None = None
    terminatingReplicas: int | None = None
    unavailableReplicas: int | None = None
    updatedReplicas: int | None = None


class Deployment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.apps.v1.Deployment."""

    apiVersion: str = msgspec.field(default_factory=lambda: "apps/v1")
    kind: str = msgspec.field(default_factory=lambda: "Deployment")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: DeploymentSpec
    status: DeploymentStatus = DeploymentStatus()


class ReplicaSetSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.apps.v1.ReplicaSetSpec."""

    minReadySeconds: int | None = None
    replicas: int | None = None
    selector: meta_v1.LabelSelector
    template: core_v1.PodTemplateSpec | None = None


class ReplicaSetCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.apps.v1.ReplicaSetCondition."""

    lastTransitionTime: str | None = None
    message: str = ""
    reason: str = ""
    status: str
    type: str


class ReplicaSetStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.apps.v1.ReplicaSetStatus."""

    availableReplicas: int | None = None
    conditions: list[ReplicaSetCondition] = []
    fullyLabeledReplicas: int | None = None
    observedGeneration: int | None = None
    readyReplicas: int | None = None
    replicas: int
    terminatingReplicas: int | None = None


class ReplicaSet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.apps.v1.ReplicaSet."""

    apiVersion: str = msgspec.field(default_factory=lambda: "apps/v1")
    kind: str = msgspec.field(default_factory=lambda: "ReplicaSet")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: ReplicaSetSpec
    status: ReplicaSetStatus


class StatefulSetOrdinals(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.apps.v1.StatefulSetOrdinals."""

    start: int | None = None


class StatefulSetPersistentVolumeClaimRetentionPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy."""

    whenDeleted: str = ""
    whenScaled: str = ""


class RollingUpdateStatefulSetStrategy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.apps.v1.RollingUpdateStatefulSetStrategy."""

    maxUnavailable: int | str | None = None
    partition: int | None = None


class StatefulSetUpdateStrategy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.apps.v1.StatefulSetUpdateStrategy."""

    rollingUpdate: RollingUpdateStatefulSetStrategy | None = None
    type: str = ""


class StatefulSetSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.apps.v1.StatefulSetSpec."""

    minReadySeconds: int | None = None
    ordinals: StatefulSetOrdinals | None = None
    persistentVolumeClaimRetentionPolicy: StatefulSetPersistentVolumeClaimRetentionPolicy | None = None
    podManagementPolicy: str = ""
    replicas: int | None = None
    revisionHistoryLimit: int | None = None
    selector: meta_v1.LabelSelector
    serviceName: str = ""
    template: core_v1.PodTemplateSpec
    updateStrategy: StatefulSetUpdateStrategy | None = None
    volumeClaimTemplates: list[core_v1.PersistentVolumeClaim] = []


class StatefulSetCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.apps.v1.StatefulSetCondition."""

    lastTransitionTime: str | None = None
    message: str = ""
    reason: str = ""
    status: str
    type: str


class StatefulSetStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.apps.v1.StatefulSetStatus."""

    availableReplicas: int | None = None
    collisionCount: int | None = None
    conditions: list[StatefulSetCondition] = []
    currentReplicas: int | None = None
    currentRevision: str = ""
    observedGeneration: int | None = None
    readyReplicas: int | None = None
    replicas: int
    updateRevision: str = ""
    updatedReplicas: int | None = None


class StatefulSet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.apps.v1.StatefulSet."""

    apiVersion: str = msgspec.field(default_factory=lambda: "apps/v1")
    kind: str = msgspec.field(default_factory=lambda: "StatefulSet")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: StatefulSetSpec
    status: StatefulSetStatus

"""Kubernetes v1.36.0 autoscaling/v2, made by tools/gen_k8s.py; not to be edited."""

# ruff: noqa
from __future__ import annotations

import msgspec

from machinery.model.k8s import meta_v1


class HPAScalingPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v2.HPAScalingPolicy."""

    periodSeconds: int
    type: str
    value: int


class HPAScalingRules(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v2.HPAScalingRules."""

    policies: list[HPAScalingPolicy] = []
    selectPolicy: str = ""
    stabilizationWindowSeconds: int | None = None
    tolerance: str = ""


class HorizontalPodAutoscalerBehavior(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v2.HorizontalPodAutoscalerBehavior."""

    scaleDown: HPAScalingRules | None = None
    scaleUp: HPAScalingRules | None = None


class MetricTarget(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v2.MetricTarget."""

    averageUtilization: int | None = None
    averageValue: str = ""
    type: str
    value: str = ""


class ContainerResourceMetricSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v2.ContainerResourceMetricSource."""

    container: str
    name: str
    target: MetricTarget


class MetricIdentifier(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v2.MetricIdentifier."""

    name: str
    selector: meta_v1.LabelSelector | None = None


class ExternalMetricSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v2.ExternalMetricSource."""

    metric: MetricIdentifier
    target: MetricTarget


class CrossVersionObjectReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v2.CrossVersionObjectReference."""

    apiVersion: str = ""
    kind: str
    name: str


class ObjectMetricSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v2.ObjectMetricSource."""

    describedObject: CrossVersionObjectReference
    metric: MetricIdentifier
    target: MetricTarget


class PodsMetricSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v2.PodsMetricSource."""

    metric: MetricIdentifier
    target: MetricTarget


class ResourceMetricSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v2.ResourceMetricSource."""

    name: str
    target: MetricTarget


class MetricSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v2.MetricSpec."""

    containerResource: ContainerResourceMetricSource | None = None
    external: ExternalMetricSource | None = None
    object: ObjectMetricSource | None = None
    pods: PodsMetricSource | None = None
    resource: ResourceMetricSource | None = None
    type: str


class HorizontalPodAutoscalerSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v2.HorizontalPodAutoscalerSpec."""

    behavior: HorizontalPodAutoscalerBehavior | None = None
    maxReplicas: int
    metrics: list[MetricSpec] = []
    minReplicas: int | None = None
    scaleTargetRef: CrossVersionObjectReference


class HorizontalPodAutoscalerCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v2.HorizontalPodAutoscalerCondition."""

    lastTransitionTime: str | None = None
    message: str = ""
    reason: str = ""
    status: str
    type: str


class MetricValueStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v2.MetricValueStatus."""

    averageUtilization: int | None = None
    averageValue: str = ""
    value: str = ""


class ContainerResourceMetricStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v2.ContainerResourceMetricStatus."""

    container: str
    current: MetricValueStatus
    name: str


class ExternalMetricStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v2.ExternalMetricStatus."""

    current: MetricValueStatus
    metric: MetricIdentifier


class ObjectMetricStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v2.ObjectMetricStatus."""

    current: MetricValueStatus
    describedObject: CrossVersionObjectReference
    metric: MetricIdentifier


class PodsMetricStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v2.PodsMetricStatus."""

    current: MetricValueStatus
    metric: MetricIdentifier


class ResourceMetricStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v2.ResourceMetricStatus."""

    current: MetricValueStatus
    name: str


class MetricStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v2.MetricStatus."""

    containerResource: ContainerResourceMetricStatus | None = None
    external: ExternalMetricStatus | None = None
    object: ObjectMetricStatus | None = None
    pods: PodsMetricStatus | None = None
    resource: ResourceMetricStatus | None = None
    type: str


class HorizontalPodAutoscalerStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v2.HorizontalPodAutoscalerStatus."""

    conditions: list[HorizontalPodAutoscalerCondition] = []
    currentMetrics: list[MetricStatus] = []
    currentReplicas: int | None = None
    desiredReplicas: int
    lastScaleTime: str | None = None
    observedGeneration: int | None = None


class HorizontalPodAutoscaler(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.autoscaling.v2.HorizontalPodAutoscaler."""

    apiVersion: str = msgspec.field(default_factory=lambda: "autoscaling/v2")
    kind: str = msgspec.field(default_factory=lambda: "HorizontalPodAutoscaler")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: HorizontalPodAutoscalerSpec
    status: HorizontalPodAutoscalerStatus

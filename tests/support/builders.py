"""Objects for tests: each builder needs only what the test is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from machinery.model.k8s.apps_v1 import (
    Deployment,
    DeploymentSpec,
    ReplicaSet,
    ReplicaSetSpec,
    ReplicaSetStatus,
)
from machinery.model.k8s.coordination_v1 import Lease, LeaseSpec
from machinery.model.k8s.core_v1 import (
    ConfigMap,
    Container,
    Namespace,
    Node,
    NodeCondition,
    NodeSpec,
    NodeStatus,
    Pod,
    PodCondition,
    PodSpec,
    PodStatus,
    PodTemplateSpec,
    ResourceRequirements,
    Taint,
    Toleration,
)
from machinery.model.k8s.meta_v1 import LabelSelector, ObjectMeta, OwnerReference

S = TypeVar("S", bound=msgspec.Struct)


def changed(obj: S, **fields: Any) -> S:
    """Return a copy with other fields; `metadata__labels={...}` reaches into the Struct below."""
    for path, value in fields.items():
        head, _, tail = path.partition("__")
        new = changed(getattr(obj, head), **{tail: value}) if tail else value
        obj = msgspec.structs.replace(obj, **{head: new})
    return obj


def meta(name: str, namespace: str = "", **fields: Any) -> ObjectMeta:
    """Return metadata with a uid made from the name and a revision of 1."""
    defaults: dict[str, Any] = {"uid": f"uid-{namespace}-{name}", "resourceVersion": "1"}
    return ObjectMeta(name=name, namespace=namespace, **{**defaults, **fields})


def resources(
    requests: Mapping[str, str] | None = None, limits: Mapping[str, str] | None = None
) -> ResourceRequirements:
    """Return a container's requests and limits."""
    return ResourceRequirements(requests=dict(requests or {}), limits=dict(limits or {}))


def container(
    name: str = "main",
    *,
    requests: Mapping[str, str] | None = None,
    limits: Mapping[str, str] | None = None,
    **fields: Any,
) -> Container:
    """Return a container."""
    needs = resources(requests, limits) if requests or limits else None
    return Container(name=name, image=fields.pop("image", "app:1"), resources=needs, **fields)


def pod(
    name: str = "web",
    namespace: str = "default",
    *,
    node: str = "",
    phase: str = "",
    ready: bool | None = None,
    labels: Mapping[str, str] | None = None,
    containers: Iterable[Container] | None = None,
    requests: Mapping[str, str] | None = None,
    limits: Mapping[str, str] | None = None,
    owners: Iterable[OwnerReference] = (),
    conditions: Iterable[PodCondition] = (),
    meta_fields: Mapping[str, Any] | None = None,
    **spec: Any,
) -> Pod:
    """Return a pod, with one container unless told otherwise."""
    known = list(conditions)
    if ready is not None:
        known.append(PodCondition(type="Ready", status="True" if ready else "False"))
    return Pod(
        metadata=meta(
            name, namespace, labels=dict(labels or {}), ownerReferences=list(owners), **(meta_fields or {})
        ),
        spec=PodSpec(
            containers=list(containers)
            if containers is not None
            else [container(requests=requests, limits=limits)],
            nodeName=node,
            **spec,
        ),
        status=PodStatus(phase=phase, conditions=known),
    )


def node(
    name: str = "node-1",
    *,
    cpu: str = "4",
    memory: str = "8Gi",
    pods: str = "110",
    ready: bool | None = True,
    labels: Mapping[str, str] | None = None,
    taints: Iterable[Taint] = (),
    unschedulable: bool | None = None,
    **spec: Any,
) -> Node:
    """Return a node with room, Ready unless told otherwise."""
    amounts = {"cpu": cpu, "memory": memory, "pods": pods}
    status = {True: "True", False: "False", None: "Unknown"}[ready]
    return Node(
        metadata=meta(name, labels={"kubernetes.io/hostname": name, **(labels or {})}),
        spec=NodeSpec(taints=list(taints), unschedulable=unschedulable, **spec),
        status=NodeStatus(
            capacity=amounts, allocatable=amounts, conditions=[NodeCondition(type="Ready", status=status)]
        ),
    )


def namespace(name: str = "default") -> Namespace:
    """Return a namespace."""
    return Namespace(metadata=meta(name))


def config_map(name: str = "settings", namespace: str = "default", **data: str) -> ConfigMap:
    """Return a ConfigMap."""
    return ConfigMap(metadata=meta(name, namespace), data=data)


def lease(name: str, namespace: str = "kube-node-lease", **spec: Any) -> Lease:
    """Return a lease."""
    return Lease(metadata=meta(name, namespace), spec=LeaseSpec(**spec))


def template(labels: Mapping[str, str] | None = None, **container_fields: Any) -> PodTemplateSpec:
    """Return a pod template with one container."""
    return PodTemplateSpec(
        metadata=ObjectMeta(labels=dict(labels or {"app": "web"})),
        spec=PodSpec(containers=[container(**container_fields)]),
    )


def replica_set(
    name: str = "web-1",
    namespace: str = "default",
    *,
    replicas: int = 1,
    labels: Mapping[str, str] | None = None,
    **fields: Any,
) -> ReplicaSet:
    """Return a ReplicaSet that selects `labels` (app=web)."""
    chosen = dict(labels or {"app": "web"})
    return ReplicaSet(
        metadata=meta(name, namespace, labels=chosen),
        spec=ReplicaSetSpec(
            replicas=replicas, selector=LabelSelector(matchLabels=chosen), template=template(chosen), **fields
        ),
        status=ReplicaSetStatus(replicas=0),
    )


def deployment(
    name: str = "web",
    namespace: str = "default",
    *,
    replicas: int = 1,
    labels: Mapping[str, str] | None = None,
    **fields: Any,
) -> Deployment:
    """Return a Deployment that selects `labels` (app=web)."""
    chosen = dict(labels or {"app": "web"})
    return Deployment(
        metadata=meta(name, namespace, labels=chosen, generation=1),
        spec=DeploymentSpec(
            replicas=replicas, selector=LabelSelector(matchLabels=chosen), template=template(chosen), **fields
        ),
    )


def toleration(key: str = "", effect: str = "", **fields: Any) -> Toleration:
    """Return a toleration; without a value it is an Exists."""
    operator = fields.pop("operator", "Equal" if "value" in fields else "Exists")
    return Toleration(key=key, effect=effect, operator=operator, **fields)


def taint(key: str, effect: str = "NoSchedule", value: str = "") -> Taint:
    """Return a taint."""
    return Taint(key=key, effect=effect, value=value)

"""What the informers keep of an object: the fields that some plan reads, and no more.

A cluster has thousands of pods and node statuses; most of each is of no interest here.
"""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from controllers.core.partial import Partial
from controllers.core.pod_ranking import DELETION_COST
from machinery.model.k8s.coordination_v1 import Lease, LeaseSpec
from machinery.model.k8s.core_v1 import (
    Container,
    ContainerStatus,
    Namespace,
    Node,
    NodeStatus,
    Pod,
    PodSpec,
    PodStatus,
    ServiceAccount,
)
from machinery.model.k8s.meta_v1 import ObjectMeta

T = TypeVar("T")


def identity(meta: ObjectMeta) -> ObjectMeta:
    """Keep who it is, who owns it, and how it goes."""
    return ObjectMeta(
        name=meta.name,
        namespace=meta.namespace,
        uid=meta.uid,
        resourceVersion=meta.resourceVersion,
        creationTimestamp=meta.creationTimestamp,
        deletionTimestamp=meta.deletionTimestamp,
        finalizers=meta.finalizers,
        ownerReferences=meta.ownerReferences,
    )


def keep_partial(obj: Partial) -> Partial:
    """Keep the identity."""
    return Partial(metadata=identity(obj.metadata))


def keep_pod(pod: Pod) -> Pod:
    """Keep labels, assignment, ports, tolerations, phase, conditions, addresses and restart counts."""
    cost = {key: text for key, text in pod.metadata.annotations.items() if key == DELETION_COST}
    status = pod.status
    return Pod(
        metadata=replace(identity(pod.metadata), labels=pod.metadata.labels, annotations=cost),
        spec=_keep_spec(pod.spec),
        status=PodStatus(
            phase=status.phase,
            reason=status.reason,
            conditions=status.conditions,
            podIP=status.podIP,
            podIPs=status.podIPs,
            containerStatuses=[_keep_status(found) for found in status.containerStatuses],
        ),
    )


def _keep_spec(spec: PodSpec) -> PodSpec:
    return PodSpec(
        containers=[_keep_container(found) for found in spec.containers],
        initContainers=[_keep_container(found) for found in spec.initContainers if found.restartPolicy],
        nodeName=spec.nodeName,
        hostname=spec.hostname,
        subdomain=spec.subdomain,
        tolerations=spec.tolerations,
    )


def _keep_container(container: Container) -> Container:
    return Container(name=container.name, ports=container.ports, restartPolicy=container.restartPolicy)


def _keep_status(status: ContainerStatus) -> ContainerStatus:
    return ContainerStatus(
        name=status.name, image="", imageID="", ready=status.ready, restartCount=status.restartCount
    )


def keep_node(node: Node) -> Node:
    """Keep labels, spec and conditions."""
    meta = replace(identity(node.metadata), labels=node.metadata.labels)
    return Node(metadata=meta, spec=node.spec, status=NodeStatus(conditions=node.status.conditions))


def keep_lease(lease: Lease) -> Lease:
    """Keep what a heartbeat is."""
    spec = LeaseSpec(holderIdentity=lease.spec.holderIdentity, renewTime=lease.spec.renewTime)
    return Lease(metadata=identity(lease.metadata), spec=spec)


def keep_namespace(namespace: Namespace) -> Namespace:
    """Keep everything but labels and annotations."""
    return Namespace(metadata=identity(namespace.metadata), spec=namespace.spec, status=namespace.status)


def keep_account(account: ServiceAccount) -> ServiceAccount:
    """Keep the identity."""
    return ServiceAccount(metadata=identity(account.metadata))

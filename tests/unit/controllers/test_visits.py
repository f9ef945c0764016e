"""The cost of an event follows what it concerns: all controllers together do the same for it beside N objects and 10 N.

What walks over everything all the same is named in `RESYNCS` and `WALKS`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import msgspec
import pytest

from controllers.core.actions import Census, Documents, Facts, Lookup, Need
from controllers.core.caches import Caches
from controllers.core.controller import EVERYTHING_AT_ONCE, Controller, Key, Noted, Settings, Watched
from controllers.core.kinds import KINDS
from controllers.core.moment import Moment
from controllers.informers import Informers
from controllers.table import CONTROLLERS
from machinery.model.log import SILENT
from machinery.model.profile import intervals
from machinery.model.requests import EventType, WatchEvent
from machinery.model.store import Change, Store
from tests.support.controllers import NOW_S
from tests.support.virtual_clock import VirtualClock
from tests.support.visits import counted

N = 8
PODS_EACH = 3
CREATED = "2026-01-01T00:00:00Z"
RESYNCS = {
    (
        "pod-garbage-collector",
        EVERYTHING_AT_ONCE,
    ): "every 20 s: ended pods are counted, and what no event told is found",
    (
        "endpoint-controller",
        EVERYTHING_AT_ONCE,
    ): "once, at the start: Endpoints of Services that went while nobody looked",
}
WALKS = {
    "daemon set comes": "a DaemonSet looks at every node, since it wants a pod on each that suits it",
    "daemon set changes": "the same",
    "node comes": "each DaemonSet that the node suits looks at every node",
    "node moves": "the same",
    "node goes": "the same",
    "node is not ready": "who answers for a load balancer is drawn from every node",
    "balancer comes": "the same",
}

Json: TypeAlias = dict[str, Any]
Event: TypeAlias = Callable[["World"], None]


def _obj(api_version: str, kind: str, name: str, namespace: str = "default", **fields: Any) -> Json:
    metadata = {
        "name": name,
        "uid": f"uid-{kind}-{namespace}-{name}",
        "resourceVersion": "1",
        "creationTimestamp": CREATED,
        **({"namespace": namespace} if namespace else {}),
        **fields.pop("metadata", {}),
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def _owner(obj: Json) -> list[Json]:
    meta = obj["metadata"]
    reference = {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
    }
    return [reference | {"controller": True, "blockOwnerDeletion": True}]


def _ready(status: str = "True") -> Json:
    return {"conditions": [{"type": "Ready", "status": status, "lastTransitionTime": CREATED}]}


def node(index: int, *, ready: str = "True", **spec: Any) -> Json:
    """Return a node in one of three zones, with a range of its own."""
    cidr = f"10.{index // 250}.{index % 250}.0/24"
    labels = {"topology.kubernetes.io/zone": f"zone-{index % 3}"}
    spec = {"podCIDR": cidr, "podCIDRs": [cidr]} | spec
    return _obj(
        "v1", "Node", f"node-{index}", "", metadata={"labels": labels}, spec=spec, status=_ready(ready)
    )


def lease(index: int, renewed: str = CREATED) -> Json:
    """Return a node's lease."""
    spec = {"holderIdentity": f"node-{index}", "renewTime": renewed}
    return _obj("coordination.k8s.io/v1", "Lease", f"node-{index}", "kube-node-lease", spec=spec)


def namespace(index: int, **metadata: Any) -> Json:
    """Return a namespace."""
    spec = {"finalizers": ["kubernetes"]}
    phase = {"phase": "Terminating" if metadata else "Active"}
    return _obj("v1", "Namespace", f"space-{index}", "", metadata=metadata, spec=spec, status=phase)


def account(index: int) -> Json:
    """Return the default ServiceAccount of a namespace."""
    return _obj("v1", "ServiceAccount", "default", f"space-{index}")


def root_ca(index: int) -> Json:
    """Return a namespace's root certificates."""
    return _obj("v1", "ConfigMap", "kube-root-ca.crt", f"space-{index}", data={"ca.crt": "PEM"})


def _template(index: int, more: Json | None = None, *, app: str = "web", image: str = "a") -> Json:
    return {
        "metadata": {"labels": {"app": f"{app}-{index}"}},
        "spec": {"containers": [{"name": "main", "image": image}], **(more or {})},
    }


def deployment(index: int, replicas: int = PODS_EACH) -> Json:
    """Return a Deployment."""
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": f"web-{index}"}},
        "template": _template(index),
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}},
    }
    return _obj("apps/v1", "Deployment", f"web-{index}", spec=spec)


def replica_set(index: int, *, owned: bool = True) -> Json:
    """Return a Deployment's ReplicaSet, or one that nobody owns."""
    labels = {"app": f"web-{index}"}
    metadata = {"labels": labels, "ownerReferences": _owner(deployment(index)) if owned else []}
    spec = {"replicas": PODS_EACH, "selector": {"matchLabels": labels}, "template": _template(index)}
    return _obj("apps/v1", "ReplicaSet", f"web-{index}-hash", metadata=metadata, spec=spec)


def stateful_set(index: int, replicas: int = 1) -> Json:
    """Return a StatefulSet whose pods have claims."""
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": f"db-{index}"}},
        "template": _template(index),
        "volumeClaimTemplates": [{"metadata": {"name": "disk"}}],
    }
    return _obj("apps/v1", "StatefulSet", f"db-{index}", spec=spec)


def daemon_set(index: int, image: str = "app:1") -> Json:
    """Return a DaemonSet that suits one node."""
    template = _template(
        index, {"nodeSelector": {"kubernetes.io/hostname": f"node-{index}"}}, app="agent", image=image
    )
    spec = {
        "selector": {"matchLabels": {"app": f"agent-{index}"}},
        "template": template,
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
        "revisionHistoryLimit": 10,
    }
    counts = ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady")
    return _obj("apps/v1", "DaemonSet", f"agent-{index}", spec=spec, status=dict.fromkeys(counts, 0))


def replication_controller(index: int, replicas: int = 1) -> Json:
    """Return a ReplicationController without pods."""
    spec = {
        "replicas": replicas,
        "selector": {"app": f"old-{index}"},
        "template": _template(index, app="old"),
    }
    return _obj("v1", "ReplicationController", f"old-{index}", spec=spec, status={"replicas": 0})


def job(index: int, *, owned: bool = True, **status: Any) -> Json:
    """Return a CronJob's Job, or one that nobody owns."""
    spec = {
        "completions": 1,
        "parallelism": 1,
        "backoffLimit": 6,
        "selector": {"matchLabels": {"app": f"batch-{index}"}},
        "template": _template(index, {"restartPolicy": "Never"}, app="batch"),
        "ttlSecondsAfterFinished": 100,
    }
    metadata = {"ownerReferences": _owner(cron_job(index)) if owned else []}
    return _obj("batch/v1", "Job", f"batch-{index}", metadata=metadata, spec=spec, status=status)


def cron_job(index: int, schedule: str = "0 0 1 1 *") -> Json:
    """Return a CronJob."""
    spec = {"schedule": schedule, "jobTemplate": {"spec": {"template": _template(index)}}}
    return _obj("batch/v1", "CronJob", f"cron-{index}", spec=spec)


def autoscaler(index: int, most: int = 9) -> Json:
    """Return an autoscaler of a Deployment."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"web-{index}"}
    spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": most, "metrics": []}
    status = {"desiredReplicas": 0, "currentReplicas": 0}
    return _obj("autoscaling/v2", "HorizontalPodAutoscaler", f"web-{index}", spec=spec, status=status)


def revision(index: int, number: int = 1) -> Json:
    """Return a StatefulSet's revision."""
    metadata = {"labels": {"app": f"db-{index}"}, "ownerReferences": _owner(stateful_set(index))}
    return _obj("apps/v1", "ControllerRevision", f"db-{index}-hash", metadata=metadata, revision=number)


def pod(index: int, number: int = 0, *, owned: bool = True, **fields: Any) -> Json:
    """Return a pod of a ReplicaSet, on a node of its own; or one that nobody owns."""
    metadata = {
        "labels": {"app": f"web-{index}" if owned else f"bare-{index}", "tier": "all"},
        "ownerReferences": _owner(replica_set(index)) if owned else [],
        **fields.pop("metadata", {}),
    }
    spec = {"nodeName": f"node-{index}", "containers": [{"name": "main", "ports": [{"containerPort": 80}]}]}
    status = _ready() | {"phase": "Running", "podIP": f"10.0.{index % 250}.{number + 1}"}
    kind = "web" if owned else "bare"
    return _obj(
        "v1",
        "Pod",
        f"{kind}-{index}-{number}",
        metadata=metadata,
        spec=spec | fields.pop("spec", {}),
        status=status | fields.pop("status", {}),
    )


def service(index: int, app: int | None = None) -> Json:
    """Return a Service of a Deployment's pods."""
    selector = {"app": f"web-{index if app is None else app}", "tier": "all"}
    ports = [{"port": 80, "protocol": "TCP"}]
    return _obj(
        "v1", "Service", f"svc-{index}", spec={"selector": selector, "clusterIP": "10.96.0.9", "ports": ports}
    )


def balancer(index: int, **spec: Any) -> Json:
    """Return a Service with a load balancer that a node answers for."""
    note = {"kubarium.dev/announced-by": f"node-{index}"} if index != NEW else {}
    metadata = {"annotations": note, "finalizers": ["service.kubernetes.io/load-balancer-cleanup"]}
    spec = {"type": "LoadBalancer", "clusterIP": "10.96.0.9", "ports": [{"port": 80}], **spec}
    ingress = [{"ip": f"172.16.{index // 250}.{index % 250}", "ipMode": "VIP"}] if index != NEW else []
    return _obj(
        "v1",
        "Service",
        f"lb-{index}",
        metadata=metadata,
        spec=spec,
        status={"loadBalancer": {"ingress": ingress}},
    )


def endpoint_slice(index: int) -> Json:
    """Return a Service's slice."""
    labels = {
        "kubernetes.io/service-name": f"svc-{index}",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    endpoints = [{"addresses": [f"10.0.{index % 250}.{number + 1}"]} for number in range(PODS_EACH)]
    metadata = {"labels": labels, "ownerReferences": _owner(service(index))}
    return _obj(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        f"svc-{index}-x",
        metadata=metadata,
        addressType="IPv4",
        endpoints=endpoints,
        ports=[{"port": 80, "protocol": "TCP"}],
    )


def endpoints(index: int) -> Json:
    """Return a Service's Endpoints."""
    addresses = [{"ip": f"10.0.{index % 250}.{number + 1}"} for number in range(PODS_EACH)]
    subset = {"addresses": addresses, "ports": [{"port": 80, "protocol": "TCP"}]}
    return _obj("v1", "Endpoints", f"svc-{index}", subsets=[subset])


def manual_service(index: int) -> Json:
    """Return a Service that finds no pods itself."""
    return service(index) | {
        "spec": {"ports": [{"port": 80}]},
        "metadata": service(index)["metadata"] | {"name": f"own-{index}"},
    }


def manual_endpoints(index: int) -> Json:
    """Return the Endpoints that somebody writes for it."""
    return endpoints(index) | {
        "metadata": endpoints(index)["metadata"] | {"name": f"own-{index}", "uid": f"own-{index}"}
    }


def budget(index: int, app: int | None = None) -> Json:
    """Return the budget of a Deployment's pods."""
    selector = {"matchLabels": {"app": f"web-{index if app is None else app}"}}
    spec = {"selector": selector, "maxUnavailable": 1}
    return _obj("policy/v1", "PodDisruptionBudget", f"budget-{index}", spec=spec)


def service_cidr(index: int, **metadata: Any) -> Json:
    """Return a range of Services' addresses."""
    protected = {"finalizers": ["networking.k8s.io/service-cidr-finalizer"], **metadata}
    spec = {"cidrs": [f"10.{index // 250}.{index % 250}.0/24"]}
    status = {
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "",
                "message": "Kubernetes Service CIDR is ready",
                "lastTransitionTime": CREATED,
            }
        ]
    }
    kind = ("networking.k8s.io/v1", "ServiceCIDR")
    return _obj(*kind, f"range-{index}", "", metadata=protected, spec=spec, status=status)


def cluster_role(index: int, part: str = "") -> Json:
    """Return a role that another one gathers."""
    rules = [{"verbs": ["get"], "apiGroups": [""], "resources": [f"things-{index}"]}]
    labels = {"part": part or f"part-{index}"}
    kind = ("rbac.authorization.k8s.io/v1", "ClusterRole")
    return _obj(*kind, f"role-{index}", "", metadata={"labels": labels}, rules=rules)


def aggregated_role(index: int, part: str = "") -> Json:
    """Return the one that gathers it."""
    selector = {"matchLabels": {"part": part or f"part-{index}"}}
    rule = {"clusterRoleSelectors": [selector]}
    rules = cluster_role(index)["rules"]
    kind = ("rbac.authorization.k8s.io/v1", "ClusterRole")
    return _obj(*kind, f"whole-{index}", "", aggregationRule=rule, rules=rules)


def quota(index: int) -> Json:
    """Return a quota of a namespace, counted."""
    hard = {"pods": "9"}
    return _obj("v1", "ResourceQuota", "all", f"space-{index}", spec={"hard": hard}, status={"hard": hard})


def claim(index: int, *, bound: bool = True, **metadata: Any) -> Json:
    """Return a claim: one that is bound to a volume, or one that waits for one."""
    notes = {"pv.kubernetes.io/bind-completed": "yes"} if bound else {}
    protected = {"finalizers": ["kubernetes.io/pvc-protection"], "annotations": notes, **metadata}
    spec = {"storageClassName": f"class-{index}", "resources": {"requests": {"storage": "1Gi"}}}
    return _obj(
        "v1",
        "PersistentVolumeClaim",
        f"data-{index}",
        metadata=protected,
        spec=spec | ({"volumeName": f"pv-{index}"} if bound else {}),
        status={"phase": "Bound", "capacity": {"storage": "1Gi"}} if bound else {"phase": "Pending"},
    )


def volume(index: int, phase: str = "Bound") -> Json:
    """Return a claim's volume, or one that is free."""
    reference = {"kind": "PersistentVolumeClaim", "namespace": "default", "name": f"data-{index}"}
    source = {"driver": f"disks-{index}.example.com", "volumeHandle": f"vol-{index}"}
    spec = {"storageClassName": f"class-{index}", "capacity": {"storage": "1Gi"}, "csi": source}
    if phase == "Bound":
        spec |= {"claimRef": reference | {"uid": claim(index)["metadata"]["uid"]}}
    return _obj("v1", "PersistentVolume", f"pv-{index}", "", spec=spec, status={"phase": phase})


def driver(index: int, *, attaches: bool = True) -> Json:
    """Return the driver of a volume."""
    kind = ("storage.k8s.io/v1", "CSIDriver")
    return _obj(*kind, f"disks-{index}.example.com", "", spec={"attachRequired": attaches})


def attachment(index: int, *, attached: bool = True) -> Json:
    """Return the attachment of a volume that no pod uses."""
    name = f"vol-{index}disks-{index}.example.comnode-{index}"
    source = {"persistentVolumeName": f"pv-{index}"}
    spec = {"attacher": f"disks-{index}.example.com", "nodeName": f"node-{index}", "source": source}
    kind = ("storage.k8s.io/v1", "VolumeAttachment")
    digest = hashlib.sha256(name.encode()).hexdigest()
    return _obj(*kind, f"csi-{digest}", "", spec=spec, status={"attached": attached})


def storage_class(index: int, **notes: str) -> Json:
    """Return a class of volumes."""
    kind = ("storage.k8s.io/v1", "StorageClass")
    fields = {"provisioner": "example.com/disks", "volumeBindingMode": "Immediate"}
    return _obj(*kind, f"class-{index}", "", metadata={"annotations": notes}, **fields)


def token_secret(index: int, **data: str) -> Json:
    """Return a Secret of a namespace's account."""
    notes = {"kubernetes.io/service-account.name": "default"}
    return _obj("v1", "Secret", "token", f"space-{index}", metadata={"annotations": notes}, data=data)


def definition(index: int) -> Json:
    """Return a kind that has no objects."""
    names = {"plural": f"things-{index}", "kind": f"Thing{index}"}
    version = {"name": "v1", "served": True, "storage": True}
    spec = {
        "group": f"group-{index}.example.com",
        "scope": "Namespaced",
        "names": names,
        "versions": [version],
    }
    kind = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    return _obj(*kind, f"things-{index}.group-{index}.example.com", "", spec=spec)


def certificate_request(index: int, *types: str) -> Json:
    """Return a request for a certificate."""
    spec = {
        "request": "",
        "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
        "usages": ["client auth"],
    }
    conditions = [{"type": type_, "status": "True", "lastUpdateTime": CREATED} for type_ in types]
    kind = ("certificates.k8s.io/v1", "CertificateSigningRequest")
    return _obj(*kind, f"csr-{index}", "", spec=spec, status={"conditions": conditions})


def claim_template(index: int) -> Json:
    """Return a template of claims of devices."""
    request = {"name": "card", "exactly": {"deviceClassName": "card"}}
    spec = {"spec": {"devices": {"requests": [request]}}}
    return _obj("resource.k8s.io/v1", "ResourceClaimTemplate", f"card-{index}", spec=spec)


def device_pod(index: int, phase: str = "Running") -> Json:
    """Return a pod with a claim of devices that was made for it."""
    claims = [{"name": "card", "resourceClaimTemplateName": f"card-{index}"}]
    made = [{"name": "card", "resourceClaimName": f"cards-{index}-x"}]
    status = {"phase": phase, "resourceClaimStatuses": made}
    return _named(pod(index, owned=False, spec={"resourceClaims": claims}, status=status), f"cards-{index}")


def device_claim(index: int, **status: Any) -> Json:
    """Return the claim that was made for it."""
    user = {"resource": "pods", "name": f"cards-{index}", "uid": f"uid-cards-{index}"}
    notes = {"resource.kubernetes.io/pod-claim-name": "card"}
    metadata = {"ownerReferences": _owner(device_pod(index)), "annotations": notes}
    spec = claim_template(index)["spec"]["spec"]
    status = {"allocation": {}, "reservedFor": [user]} | status
    kind = ("resource.k8s.io/v1", "ResourceClaim")
    return _obj(*kind, f"cards-{index}-x", metadata=metadata, spec=spec, status=status)


def _objects(index: int) -> Iterator[Json]:
    """Yield what there is of everything, once more."""
    yield from (quota(index), claim(index), volume(index), storage_class(index))
    yield from (driver(index), attachment(index))
    yield from (node(index), lease(index), namespace(index), account(index), root_ca(index))
    yield from (deployment(index), replica_set(index), service(index), endpoint_slice(index))
    yield from (stateful_set(index), revision(index), daemon_set(index), replication_controller(index))
    yield from (cron_job(index), job(index), autoscaler(index))
    yield from (pod(index, number) for number in range(PODS_EACH))
    yield pod(index, owned=False)
    yield from (cluster_role(index), aggregated_role(index), token_secret(index), certificate_request(index))
    yield from (definition(index), policy(index))
    yield from (claim_template(index), device_pod(index), device_claim(index))
    yield from (
        endpoints(index),
        manual_service(index),
        manual_endpoints(index),
        budget(index),
        service_cidr(index),
        balancer(index),
    )


def policy(index: int, generation: int = 1) -> Json:
    """Return a policy about the objects of a kind."""
    rule = {
        "apiGroups": [f"group-{index}.example.com"],
        "apiVersions": ["v1"],
        "resources": [f"things-{index}"],
    }
    spec = {"matchConstraints": {"resourceRules": [rule]}, "validations": [{"expression": "true"}]}
    meta = {"generation": generation}
    api_version = "admissionregistration.k8s.io/v1"
    return _obj(api_version, "ValidatingAdmissionPolicy", f"policy-{index}", "", metadata=meta, spec=spec)


class World:
    """All controllers over their caches, without anybody who executes their plans."""

    def __init__(self, count: int) -> None:
        caches = Caches()
        settings = Settings(
            intervals("default"),
            KINDS,
            cluster_cidr="10.0.0.0/8",
            load_balancer_pool="172.16.0.0/12",
            root_ca="PEM",
        )
        self.controllers = [build(caches, settings) for build in CONTROLLERS]
        self.informers = Informers(caches, None, VirtualClock(), SILENT)  # type: ignore[arg-type]  # nothing is asked
        self._keys: dict[tuple[str, Key], Controller[Any]] = {}
        self._last: dict[tuple[str, str, str], Json] = {}
        self._revision = 1
        for controller in self.controllers:
            for noted in controller.notes:
                self.informers.subscribe(noted.source, _noting(noted))
        for controller in self.controllers:
            for watched in controller.watched:
                self.informers.subscribe(watched.source, self._queueing(controller, watched))
        for index in range(count):
            for obj in _objects(index):
                self.put(obj)
        self._keys.clear()
        self.work(EVENTS["node comes"])  # the ranges that are taken are passed over once, for all that come

    def put(self, obj: Json) -> None:
        """Add or change an object."""
        self._revision += 1
        obj = obj | {"metadata": obj["metadata"] | {"resourceVersion": str(self._revision)}}
        kind = EventType.MODIFIED if _place(obj) in self._last else EventType.ADDED
        self._last[_place(obj)] = obj
        self._tell(kind, obj)

    def drop(self, obj: Json) -> None:
        """Remove an object."""
        self._tell(EventType.DELETED, self._last.pop(_place(obj)))

    def work(self, event: Event) -> int:
        """Return how much all controllers do for an event; what it changed is put back afterwards."""
        before = dict(self._last)
        with counted() as work:
            event(self)
            self.reconcile()
        for place, obj in [*self._last.items()]:
            if place not in before:
                self.drop(obj)
        for place, obj in before.items():
            if self._last.get(place) is not obj:
                self.put(obj)
        self._keys.clear()
        return work.total

    def reconcile(self) -> None:
        """Plan for every key that waits; what is asked live is as the caches have it."""
        for (_, key), controller in self._keys.items():
            seen = controller.look(key, Moment(NOW_S, monotonic_s=NOW_S))
            if seen is not None:
                made = controller.plan(seen, Moment(NOW_S), Facts())
                controller.plan(seen, Moment(NOW_S), self._answers(made.needs))

    @property
    def waiting(self) -> set[tuple[str, Key]]:
        """The keys that wait, with their controllers' names."""
        return set(self._keys)

    def _answers(self, needs: tuple[Need, ...]) -> Facts:
        lookups = {each: self._find(each) for each in needs if isinstance(each, Lookup)}
        counted = {each: () for each in needs if isinstance(each, Census)}
        return Facts(lookups, counted, {each: () for each in needs if isinstance(each, Documents)})

    def _find(self, lookup: Lookup) -> Any:
        return self.informers.find((str(lookup.resource), lookup.namespace, lookup.name))

    def _tell(self, kind: EventType, obj: Json) -> None:
        raw = msgspec.json.encode(obj)
        for informer in self.informers:
            if (informer.resource.kind, informer.resource.group) == (obj["kind"], _group(obj)):
                found = msgspec.json.decode(raw, type=informer.resource.type)
                informer.apply(WatchEvent(kind, self._revision, found))

    def _queueing(self, controller: Controller[Any], watched: Watched[Any]) -> Callable[[Change[Any]], None]:
        def queue(change: Change[Any]) -> None:
            self._keys.update(((controller.name, key), controller) for key in watched.keys(change))

        return queue


def _noting(noted: Noted[Any]) -> Callable[[Change[Any]], None]:
    return lambda change: noted.note(change, NOW_S)


def _group(obj: Json) -> str:
    group, slash, _ = obj["apiVersion"].partition("/")
    return group if slash else ""


def _place(obj: Json) -> tuple[str, str, str]:
    return obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


GOING = {"deletionTimestamp": CREATED}
NEW = 5_000

EVENTS: dict[str, Event] = {
    "node comes": lambda world: world.put(node(NEW, podCIDR="", podCIDRs=[])),
    "node beats": lambda world: world.put(node(1)),
    "node is not ready": lambda world: world.put(node(1, ready="False")),
    "node moves": lambda world: world.put(node(1) | {"metadata": node(1)["metadata"] | {"labels": {}}}),
    "node goes": lambda world: world.drop(node(1)),
    "lease is renewed": lambda world: world.put(lease(1, "2026-01-01T00:00:10Z")),
    "namespace comes": lambda world: world.put(namespace(NEW)),
    "namespace is to go": lambda world: world.put(namespace(1, **GOING)),
    "account goes": lambda world: world.drop(account(1)),
    "root certificates go": lambda world: world.drop(root_ca(1)),
    "deployment comes": lambda world: world.put(deployment(NEW)),
    "deployment is scaled": lambda world: world.put(deployment(1, 9)),
    "deployment goes": lambda world: world.drop(deployment(1)),
    "replica set of nobody comes": lambda world: (world.put(deployment(NEW)), world.put(replica_set(NEW, owned=False))),
    "replica set changes": lambda world: world.put(replica_set(1)),
    "replica set goes": lambda world: world.drop(replica_set(1)),
    "replica set goes in the foreground": lambda world: world.put(
        _with_metadata(replica_set(1), **GOING, finalizers=["foregroundDeletion"])
    ),
    "stateful set comes": lambda world: world.put(stateful_set(NEW)),
    "stateful set is scaled": lambda world: world.put(stateful_set(1, 2)),
    "stateful set goes": lambda world: world.drop(stateful_set(1)),
    "revision changes": lambda world: world.put(revision(1, 2)),
    "revision goes": lambda world: world.drop(revision(1)),
    "claim of a stateful set goes": lambda world: (world.put(_named(claim(1), "disk-db-1-0")), world.drop(_named(claim(1), "disk-db-1-0"))),
    "pod of a stateful set's name goes": lambda world: (world.put(_named(pod(1), "db-1-0")), world.drop(_named(pod(1), "db-1-0"))),
    "daemon set comes": lambda world: world.put(daemon_set(NEW)),
    "daemon set changes": lambda world: world.put(daemon_set(1, "app:2")),
    "daemon set goes": lambda world: world.drop(daemon_set(1)),
    "replication controller is scaled": lambda world: world.put(replication_controller(1, 3)),
    "replication controller goes": lambda world: world.drop(replication_controller(1)),
    "job comes": lambda world: world.put(job(NEW, owned=False)),
    "job has ended": lambda world: world.put(job(1, conditions=[{"type": "Complete", "status": "True", "lastTransitionTime": CREATED}])),
    "job goes": lambda world: world.drop(job(1)),
    "cron job changes": lambda world: world.put(cron_job(1, "0 0 2 1 *")),
    "cron job goes": lambda world: world.drop(cron_job(1)),
    "autoscaler changes": lambda world: world.put(autoscaler(1, 5)),
    "autoscaler goes": lambda world: world.drop(autoscaler(1)),
    "pod comes": lambda world: world.put(pod(1, 9)),
    "pod of nobody comes": lambda world: world.put(_with_metadata(pod(1, 9), ownerReferences=[])),
    "pod is not ready": lambda world: world.put(pod(1, status=_ready("False"))),
    "pod gets other labels": lambda world: world.put(_with_metadata(pod(1), labels={"app": "web-2", "tier": "all"})),
    "pod ends without a node": lambda world: world.put(pod(1, 9, metadata=GOING, spec={"nodeName": ""})),
    "pod has ended": lambda world: world.put(pod(1, status={"phase": "Succeeded"})),
    "pod goes": lambda world: world.drop(pod(1)),
    "service comes": lambda world: world.put(service(NEW, 1)),
    "service selects others": lambda world: world.put(service(1, 2)),
    "service goes": lambda world: world.drop(service(1)),
    "balancer comes": lambda world: world.put(balancer(NEW)),
    "balancer asks for an address": lambda world: world.put(balancer(1, loadBalancerIP="172.17.0.1")),
    "balancer goes": lambda world: world.drop(balancer(1)),
    "range comes": lambda world: world.put(service_cidr(NEW)),
    "range goes": lambda world: world.drop(service_cidr(1)),
    "budget comes": lambda world: world.put(budget(NEW, 1)),
    "budget selects others": lambda world: world.put(budget(1, 2)),
    "budget goes": lambda world: world.drop(budget(1)),
    "endpoints change": lambda world: world.put(endpoints(1) | {"subsets": []}),
    "endpoints go": lambda world: world.drop(endpoints(1)),
    "endpoints of nobody come": lambda world: world.put(endpoints(NEW)),
    "mirrored endpoints change": lambda world: world.put(manual_endpoints(1) | {"subsets": []}),
    "mirrored endpoints go": lambda world: world.drop(manual_endpoints(1)),
    "quota changes": lambda world: world.put(quota(1) | {"spec": {"hard": {"pods": "10"}}}),
    "definition comes": lambda world: world.put(definition(NEW)),
    "policy changes": lambda world: world.put(policy(1, 2)),
    "claim is to go": lambda world: world.put(claim(1, **GOING)),
    "claim comes": lambda world: (world.put(storage_class(NEW)), world.put(claim(NEW, bound=False))),
    "claim goes": lambda world: world.drop(claim(1)),
    "volume comes": lambda world: (world.put(claim(NEW, bound=False)), world.put(volume(NEW, "Available"))),
    "volume changes": lambda world: world.put(volume(1)),
    "volume goes": lambda world: world.drop(volume(1)),
    "driver changes": lambda world: world.put(driver(1, attaches=False)),
    "attachment changes": lambda world: world.put(attachment(1, attached=False)),
    "attachment goes": lambda world: world.drop(attachment(1)),
    "template of claims comes": lambda world: world.put(claim_template(NEW)),
    "template of claims is made anew": lambda world: (world.drop(claim_template(1)), world.put(claim_template(1))),
    "pod with devices has ended": lambda world: world.put(device_pod(1, "Succeeded")),
    "claim of devices changes": lambda world: world.put(device_claim(1, reservedFor=[])),
    "claim of devices goes": lambda world: world.drop(device_claim(1)),
    "class becomes the default one": lambda world: world.put(
        storage_class(1, **{"storageclass.kubernetes.io/is-default-class": "true"})
    ),
    "slice changes": lambda world: world.put(endpoint_slice(1) | {"endpoints": []}),
    "slice goes": lambda world: world.drop(endpoint_slice(1)),
    "token secret comes": lambda world: world.put(token_secret(NEW)),
    "token secret changes": lambda world: world.put(token_secret(1, a="Yg==")),
    "role comes": lambda world: world.put(cluster_role(NEW, "part-1")),
    "role is no part any more": lambda world: world.put(cluster_role(1, "none")),
    "role goes": lambda world: world.drop(cluster_role(1)),
    "role gathers others": lambda world: world.put(aggregated_role(1, "part-2")),
    "certificate is asked for": lambda world: world.put(certificate_request(NEW)),
    "certificate is approved": lambda world: world.put(certificate_request(1, "Approved")),
    "request for a certificate goes": lambda world: world.drop(certificate_request(1)),
}  # fmt: skip


def _named(obj: Json, name: str) -> Json:
    return _with_metadata(obj, name=name, uid=f"uid-{name}")


def _with_metadata(obj: Json, **fields: Any) -> Json:
    return obj | {"metadata": obj["metadata"] | fields}


@pytest.fixture(scope="module")
def worlds() -> tuple[World, World]:
    return World(N), World(10 * N)


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_costs_no_more_beside_ten_times_as_many(worlds: tuple[World, World], event: str) -> None:
    """Less than one instruction for ten objects more, of each kind: nobody walks over them."""
    few, many = (world.work(EVENTS[event]) for world in worlds)
    assert few > 0
    assert many - few < N or (event in WALKS and many < 11 * few)


def test_every_collection_that_a_controller_watches_has_events() -> None:
    """A controller that watches another one has to have its events here; metadata are watched of all kinds."""
    world = World(1)
    watched = {
        watched.source.resource.kind
        for controller in world.controllers
        for watched in controller.watched
        if watched.source.resource.type.__name__ != "MetadataOnly"
    }
    assert watched <= {obj["kind"] for obj in _objects(0)}


def test_what_walks_over_everything_is_named() -> None:
    """A key that stands for everything is there from the start, and comes again by itself."""
    world = World(1)
    always = {(controller.name, key) for controller in world.controllers for key in controller.always}
    assert always == set(RESYNCS)


def test_a_walk_is_found(worlds: tuple[World, World]) -> None:
    """One that copies, and one that looks at each."""
    for walk in (lambda world: _pods(world).list(), lambda world: [None for _ in _pods(world)]):
        few, many = (world.work(walk) for world in worlds)
        assert many - few >= N


def _pods(world: World) -> Store[Any]:
    return next(each for each in world.informers if each.resource.plural == "pods").store

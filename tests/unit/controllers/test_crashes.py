"""Every controller's process dies after each single write: what comes out in the end is what comes out without."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple

import msgspec
import pytest

from controllers import (
    attachdetach,
    bootstrap_signer,
    certificate_approving,
    certificate_cleaning,
    certificate_signing,
    clusterrole_aggregation,
    cronjob,
    daemonset,
    deployment,
    disruption,
    endpoints,
    endpointslice,
    endpointslicemirroring,
    ephemeral_volume,
    garbage_collector,
    horizontal_pod_autoscaler,
    job,
    namespace,
    node_ipam,
    node_lifecycle,
    persistentvolume_binder,
    pod_gc,
    pv_protection,
    pvc_protection,
    replicaset,
    replicationcontroller,
    resource_claim,
    resourcequota,
    service_cidr,
    serviceaccount,
    serviceaccount_token,
    statefulset,
    taint_eviction,
    token_cleaner,
    ttl_after_finished,
    validatingadmissionpolicy_status,
    volume_expand,
    volume_provisioner,
)
from controllers.core.actions import NOTHING_TO_DO, Create, Facts, Plan
from controllers.core.batch import CRON_JOBS, JOBS, NEW_JOBS, NewJob, true_condition
from controllers.core.caches import Caches
from controllers.core.controller import Build, Controller, Settings, Watched
from controllers.core.documents import Document, documents_of
from controllers.core.keys import itself
from controllers.core.moment import Moment
from controllers.core.revisions import CONTROLLER_REVISIONS
from controllers.core.workloads import (
    DAEMON_SETS,
    DEPLOYMENTS,
    REPLICA_SETS,
    REPLICATION_CONTROLLERS,
    STATEFUL_SETS,
)
from controllers.cronjob.new_job import SCHEDULED
from controllers.daemonset.placement import node_of
from controllers.pv_protection.plan import VOLUMES
from controllers.pvc_protection.plan import CLAIMS
from controllers.resourcequota.plan import QUOTAS
from controllers.table import CONTROLLERS
from controllers.validatingadmissionpolicy_status.plan import POLICIES
from machinery.model.conditions import is_true
from machinery.model.errors import NotFound
from machinery.model.k8s.apps_v1 import StatefulSetPersistentVolumeClaimRetentionPolicy
from machinery.model.k8s.certificates_v1 import CertificateSigningRequest, CertificateSigningRequestSpec
from machinery.model.k8s.core_v1 import ConfigMap, NodeCondition, Pod, Secret, ServiceAccount
from machinery.model.k8s.meta_v1 import ObjectMeta, Status
from machinery.model.k8s.policy_v1 import Eviction
from machinery.model.pods import is_ready
from machinery.model.requests import DeleteOptions, Selection
from machinery.model.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    NAMESPACES,
    NODES,
    POD_DISRUPTION_BUDGETS,
    PODS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICE_CIDRS,
    SERVICES,
    Resource,
)
from machinery.model.tokens import ACCOUNT_NAME, LEGACY_TYPE
from tests.support import builders, jobs
from tests.support.autoscaling_load import load_comes_and_goes
from tests.support.builders import changed
from tests.support.certificate_requests import requested
from tests.support.controller_crashes import CrashWorld, Mishap, play
from tests.support.controllers import (
    daemon_set,
    owner,
    replica_set,
    replication_controller,
    rolling,
    template,
)
from tests.support.controllers import deployment as web
from tests.support.device_claims import devices_are_used_and_freed
from tests.support.examples import sample
from tests.support.stateful import claim_template, stateful_set
from tests.support.volume_courses import (
    a_claim_grows,
    a_disk_is_attached_and_detached,
    a_pod_has_volumes_of_its_own,
    folders_come_and_go,
    volumes_are_bound,
)

MISHAPS = 4  # of the events of a course, about so many come late, or never
SILENT_S = 80.0  # longer than a node is waited for


class Trial(NamedTuple):
    """What happens to a controller, who works beside it, and how many writes its process makes at least.

    Few are `quick`; the others are left out of `make quick`.
    """

    course: Callable[[CrashWorld], Awaitable[None]]
    beside: tuple[Build, ...] = ()
    writes: int = 2
    quick: bool = False


async def namespaces_come(world: CrashWorld) -> None:
    """Two namespaces; then somebody takes the account of one away, and spoils the certificate of the other."""
    for name in ("one", "two"):
        await world.server.given(NAMESPACES, builders.namespace(name))
    await world.settle()
    await world.user.delete(SERVICE_ACCOUNTS, "default", namespace="one")
    spoilt = {"data": {"ca.crt": "other", "extra": "x"}}
    await world.user.patch(CONFIG_MAPS, "kube-root-ca.crt", spoilt, namespace="two")
    await world.settle()
    for name in ("one", "two"):
        await world.user.get(SERVICE_ACCOUNTS, "default", namespace=name)
        root_ca = await world.user.get(CONFIG_MAPS, "kube-root-ca.crt", namespace=name)
        assert root_ca.data == {"ca.crt": "PEM"}


async def run_pods(world: CrashWorld) -> None:
    """Be the kubelets, until every pod is Ready or gone."""
    while True:
        await world.settle()
        pods = (await world.user.list(PODS)).items
        if all(map(is_ready, pods)) and not await world.cluster.end_pods():
            return
        await world.cluster.kubelet()


async def a_deployment_rolls(world: CrashWorld) -> None:
    """It is updated, and scaled in the same breath."""
    await world.server.given(DEPLOYMENTS, web(1, strategy=rolling(1, 0)))
    await run_pods(world)
    patch = {"spec": {"template": template("app:2"), "replicas": 2}}
    await world.user.patch(DEPLOYMENTS, "web", patch, namespace="default")
    await run_pods(world)
    pods = (await world.user.list(PODS)).items
    assert [pod.spec.containers[0].image for pod in pods] == ["app:2"] * 2


async def a_replica_set_scales(world: CrashWorld, resource: Resource[Any] = REPLICA_SETS) -> None:
    """It adopts a pod, makes others, lets one go that is relabelled, and deletes some."""
    made = replica_set if resource is REPLICA_SETS else replication_controller
    await world.server.given(PODS, builders.pod("found", labels={"app": "web"}))
    await world.server.given(resource, made(replicas=3))
    await run_pods(world)
    other = {"metadata": {"labels": {"app": "other"}}}
    await world.user.patch(PODS, "found", other, namespace="default")
    await run_pods(world)
    await world.user.patch(resource, "web-1", {"spec": {"replicas": 1}}, namespace="default")
    await run_pods(world)
    pods = (await world.user.list(PODS)).items
    assert sorted(len(pod.metadata.ownerReferences) for pod in pods) == [0, 1]
    assert "found" in {pod.metadata.name for pod in pods}


async def daemons_follow_their_nodes(world: CrashWorld) -> None:
    """Two nodes; a pod is found, the template changes and is undone, one node comes, and one takes no daemons any more."""
    for name in ("node-1", "node-2"):
        await world.server.given(NODES, builders.node(name))
    found = builders.pod("found", node="node-1", labels={"app": "web"})
    await world.server.given(PODS, found)
    await world.server.given(DAEMON_SETS, daemon_set())
    await run_daemons(world)
    for image in ("app:2", "app:1"):
        patch = {"spec": {"template": template(image)}}
        await world.user.patch(DAEMON_SETS, "web", patch, namespace="default")
        await run_daemons(world)
    await world.server.given(NODES, builders.node("node-3"))
    taints = {"spec": {"taints": msgspec.to_builtins([builders.taint("wet", "NoExecute")])}}
    await world.user.patch(NODES, "node-1", taints)
    await run_daemons(world)
    pods = (await world.user.list(PODS)).items
    assert sorted((pod.spec.nodeName, pod.spec.containers[0].image) for pod in pods) == [
        ("node-2", "app:1"),
        ("node-3", "app:1"),
    ]
    revisions = (await world.user.list(CONTROLLER_REVISIONS)).items
    assert sorted(each.revision for each in revisions) == [2, 3]


async def run_daemons(world: CrashWorld) -> None:
    """Be the scheduler and the kubelets, until every pod is Ready or gone."""
    while True:
        await world.settle()
        for pod in (await world.user.list(PODS)).items:
            if not pod.spec.nodeName:
                await world.server.bind(pod.metadata.name, node_of(pod))
        pods = (await world.user.list(PODS)).items
        if all(map(is_ready, pods)) and not await world.cluster.end_pods():
            return
        await world.cluster.kubelet()


async def a_stateful_set_rolls(world: CrashWorld) -> None:
    """It makes a pod with its claim, then another one, and is updated and scaled down with the claim in the same breath."""
    policy = StatefulSetPersistentVolumeClaimRetentionPolicy(whenDeleted="Retain", whenScaled="Delete")
    owner = stateful_set(
        2, volumeClaimTemplates=[claim_template()], persistentVolumeClaimRetentionPolicy=policy
    )
    await world.server.given(STATEFUL_SETS, owner)
    await run_pods(world)
    patch = {"spec": {"template": template("app:2"), "replicas": 1}}
    await world.user.patch(STATEFUL_SETS, "web", patch, namespace="default")
    await run_pods(world)
    [pod] = (await world.user.list(PODS)).items
    assert (pod.metadata.name, pod.spec.containers[0].image) == ("web-0", "app:2")
    claims = (await world.user.list(documents_of(CLAIMS))).items
    assert [each.metadata.name for each in claims] == ["data-web-0"]


async def a_service_is_followed(world: CrashWorld) -> None:
    """Its pods come and go, its ports change, and somebody deletes a slice."""
    await world.server.given(NODES, builders.node("node-1"))
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}
    document = {"metadata": {"name": "web", "namespace": "default"}, "spec": spec}
    await world.server.given(SERVICES, msgspec.convert(document, SERVICES.type))
    await world.settle()
    for number in (1, 2):
        labels = {"app": "web"}
        pod = builders.pod(f"web-{number}", node="node-1", phase="Running", ready=True, labels=labels)
        await world.server.given(PODS, changed(pod, status__podIP=f"10.244.0.{number}"))
    await world.settle()
    patch = {"spec": {"ports": [{"port": 80, "targetPort": 9090}]}}
    await world.user.patch(SERVICES, "web", patch, namespace="default")
    await world.settle()
    for slice_ in (await world.user.list(ENDPOINT_SLICES)).items:
        await world.user.delete(ENDPOINT_SLICES, slice_.metadata.name, namespace="default")
    at_once = DeleteOptions(grace_period_s=0)
    await world.user.delete(PODS, "web-1", namespace="default", options=at_once)
    await world.settle()
    [slice_] = (await world.user.list(ENDPOINT_SLICES)).items
    assert [endpoint.addresses for endpoint in slice_.endpoints] == [["10.244.0.2"]]
    assert [port.port for port in slice_.ports] == [9090]


async def a_service_has_endpoints(world: CrashWorld) -> None:
    """Its pods come and go, somebody deletes what was written, and the Service goes."""
    for name in ("web", "gone"):
        spec = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}
        document = {"metadata": {"name": name, "namespace": "default"}, "spec": spec}
        await world.server.given(SERVICES, msgspec.convert(document, SERVICES.type))
    await world.settle()
    for number in (1, 2):
        pod = builders.pod(
            f"web-{number}", node="n", phase="Running", ready=number == 1, labels={"app": "web"}
        )
        await world.server.given(PODS, changed(pod, status__podIP=f"10.244.0.{number}"))
    await world.settle()
    await world.user.delete(SERVICES, "gone", namespace="default")
    await world.user.delete(ENDPOINTS, "web", namespace="default")
    await world.settle()
    [found] = (await world.user.list(ENDPOINTS)).items
    [subset] = found.subsets
    assert [each.ip for each in subset.addresses] == ["10.244.0.1"]
    assert [each.ip for each in subset.notReadyAddresses] == ["10.244.0.2"]


async def endpoints_are_mirrored(world: CrashWorld) -> None:
    """Of a Service without a selector: they change, somebody deletes a slice, and they go."""
    for name in ("web", "gone"):
        document = {"metadata": {"name": name, "namespace": "default"}, "spec": {"ports": [{"port": 80}]}}
        await world.server.given(SERVICES, msgspec.convert(document, SERVICES.type))
        subset = {"addresses": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}], "ports": [{"port": 80}]}
        written = {"metadata": {"name": name, "namespace": "default"}, "subsets": [subset]}
        await world.server.given(ENDPOINTS, msgspec.convert(written, ENDPOINTS.type))
    await world.settle()
    other = {"subsets": [{"addresses": [{"ip": "10.0.0.2"}], "ports": [{"port": 81}]}]}
    await world.user.patch(ENDPOINTS, "web", other, namespace="default")
    await world.user.delete(ENDPOINTS, "gone", namespace="default")
    await world.settle()
    [slice_] = (await world.user.list(ENDPOINT_SLICES)).items
    await world.user.delete(ENDPOINT_SLICES, slice_.metadata.name, namespace="default")
    await world.settle()
    [slice_] = (await world.user.list(ENDPOINT_SLICES)).items
    assert ([each.addresses for each in slice_.endpoints], slice_.ports[0].port) == ([["10.0.0.2"]], 81)


async def a_range_comes_and_goes(world: CrashWorld) -> None:
    """It is needed for a while."""
    for name in ("needed", "free"):
        document = {
            "metadata": {"name": name},
            "spec": {"cidrs": ["10.9.0.0/24" if name == "needed" else "10.8.0.0/24"]},
        }
        await world.server.given(SERVICE_CIDRS, msgspec.convert(document, SERVICE_CIDRS.type))
    await world.settle()
    service = {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"ports": [{"port": 80}], "clusterIP": "10.9.0.9"},
    }
    await world.server.given(SERVICES, msgspec.convert(service, SERVICES.type))
    for name in ("needed", "free"):
        await world.user.delete(SERVICE_CIDRS, name)
    await world.live(SILENT_S)
    [left] = (await world.user.list(SERVICE_CIDRS)).items
    assert [(each.status, each.reason) for each in left.status.conditions] == [("False", "Terminating")]
    await world.user.delete(SERVICES, "web", namespace="default")
    await world.live(SILENT_S)
    assert not (await world.user.list(SERVICE_CIDRS)).items


async def a_node_falls_silent(world: CrashWorld) -> None:
    """One of two, with a pod; then it is back."""
    for name in ("node-1", "node-2"):
        await world.server.given(NODES, builders.node(name))
    await world.server.given(PODS, builders.pod("lost", node="node-1", phase="Running", ready=True))
    beating = asyncio.ensure_future(_beat(world, "node-2"))
    await world.settle(SILENT_S)
    node = await world.user.get(NODES, "node-1")
    assert {taint.effect for taint in node.spec.taints} == {"NoSchedule", "NoExecute"}
    assert not is_ready(await world.user.get(PODS, "lost", namespace="default"))
    back = asyncio.ensure_future(_beat(world, "node-1"))
    await world.settle()
    beating.cancel()
    back.cancel()
    assert (await world.user.get(NODES, "node-1")).spec.taints == []


async def _beat(world: CrashWorld, name: str) -> None:
    """Be a kubelet that says every few seconds that its node is Ready."""
    beats = 0
    while True:
        beats += 1
        at = world.clock.timescale.format(world.clock.now())
        ready = NodeCondition(type="Ready", status="True", lastHeartbeatTime=at)
        status = {"conditions": msgspec.to_builtins([ready])}
        await world.user.patch(NODES, name, {"status": status}, subresource="status")
        await world.clock.sleep(10)


async def a_node_is_tainted(world: CrashWorld) -> None:
    """Two pods do not tolerate it, one does for a while, one for good."""
    await world.server.given(NODES, builders.node("node-1"))
    for name, seconds in (("a", None), ("b", None), ("while", 60), ("good", -1)):
        tolerations = []
        if seconds is not None:
            limit = {"tolerationSeconds": seconds} if seconds > 0 else {}
            tolerations = [builders.toleration("wet", "NoExecute", **limit)]
        pod = builders.pod(name, node="node-1", phase="Running", ready=True, tolerations=tolerations)
        await world.server.given(PODS, pod)
    taint = msgspec.to_builtins(builders.taint("wet", "NoExecute"))
    await world.user.patch(NODES, "node-1", {"spec": {"taints": [taint]}})
    await world.settle(SILENT_S)
    assert sorted(await world.cluster.end_pods()) == ["a", "b", "while"]
    assert await world.cluster.pods() == ["good"]


async def nodes_come_and_go(world: CrashWorld) -> None:
    """Four at once; then one goes, and another one comes."""
    for number in range(1, 5):
        await world.server.given(NODES, builders.node(f"node-{number}"))
    await world.settle()
    await world.user.delete(NODES, "node-2")
    await world.settle()
    for number in (5, 6):
        await world.server.given(NODES, builders.node(f"node-{number}"))
        await world.settle()
    nodes = (await world.user.list(NODES)).items
    assert {node.spec.podCIDR for node in nodes} == {f"10.244.{number}.0/24" for number in range(5)}


async def owners_go(world: CrashWorld) -> None:
    """One in each manner of deletion, each with two dependents, of which one is owned by somebody else, too."""
    stays = await world.server.given(CONFIG_MAPS, builders.config_map("stays"))
    for policy in ("Background", "Foreground", "Orphan"):
        name = policy.lower()
        going = await world.server.given(CONFIG_MAPS, builders.config_map(name))
        for kind, owners in (("only", [going]), ("shared", [going, stays])):
            references = [owner(each, controller=False) for each in owners]
            dependent = changed(builders.config_map(f"{kind}-{name}"), metadata__ownerReferences=references)
            await world.server.given(CONFIG_MAPS, dependent)
    await world.settle()
    for policy in ("Background", "Foreground", "Orphan"):
        options = DeleteOptions(propagation_policy=policy)
        await world.user.delete(CONFIG_MAPS, policy.lower(), namespace="default", options=options)
    await world.settle()
    left = (await world.user.list(CONFIG_MAPS, Selection(namespace="default"))).items
    assert {each.metadata.name: len(each.metadata.ownerReferences) for each in left} == {
        "stays": 0,
        "only-orphan": 0,
        "shared-background": 1,
        "shared-foreground": 1,
        "shared-orphan": 1,
    }


async def pods_are_left_behind(world: CrashWorld) -> None:
    """On a node that is deleted, on none, and on one that is out of service."""
    out = builders.taint("node.kubernetes.io/out-of-service")
    await world.server.given(NODES, builders.node("gone"))
    await world.server.given(NODES, builders.node("out", ready=None, taints=[out]))
    for name, node in (("lost-1", "gone"), ("lost-2", "gone"), ("nowhere", ""), ("stranded", "out")):
        held = {"finalizers": ["test/hold"]} if name == "nowhere" else {}
        await world.server.given(PODS, builders.pod(name, node=node, phase="Running", meta_fields=held))
    for name in ("nowhere", "stranded"):
        await world.user.delete(PODS, name, namespace="default")
    await world.user.delete(NODES, "gone")
    await world.live(SILENT_S)
    free = {"metadata": {"finalizers": None}}
    await world.user.patch(PODS, "nowhere", free, namespace="default")
    await world.settle()
    assert await world.cluster.pods() == []


async def a_namespace_goes(world: CrashWorld) -> None:
    """With pods that end by and by, with other things, and with one that is held."""
    await world.server.given(NAMESPACES, builders.namespace("gone"))
    account = SERVICE_ACCOUNTS.type(metadata=builders.meta("default", "gone"))
    await world.server.given(SERVICE_ACCOUNTS, changed(account, automountServiceAccountToken=False))
    for name in ("one", "two"):
        await world.server.given(PODS, builders.pod(name, "gone", node="node-1"))
    await world.server.given(CONFIG_MAPS, builders.config_map("settings", "gone"))
    held = builders.config_map("held", "gone")
    await world.server.given(CONFIG_MAPS, changed(held, metadata__finalizers=["test/hold"]))
    secret = SECRETS.type(metadata=builders.meta("key", "gone"))
    await world.server.given(SECRETS, secret)
    await world.user.delete(NAMESPACES, "gone")
    await world.settle()
    assert sorted(await world.cluster.end_pods()) == ["one", "two"]
    await world.settle()
    free = {"metadata": {"finalizers": None}}
    await world.user.patch(CONFIG_MAPS, "held", free, namespace="gone")
    await world.settle()
    with pytest.raises(NotFound):
        await world.user.get(NAMESPACES, "gone")


def _document(resource: Any, name: str, namespace: str = "", **fields: Any) -> Any:
    """Return an object of which controllers know no more than that it has a spec and a status."""
    metadata = {"name": name, "uid": f"uid-{name}", **fields.pop("metadata", {})}
    if namespace:
        metadata["namespace"] = namespace
    document = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **fields}
    return msgspec.convert(document, Document)


async def a_quota_is_counted(world: CrashWorld) -> None:
    """Pods come, end and go; then there is to be more of something else."""
    for name in ("a", "b", "c"):
        await world.server.given(PODS, builders.pod(name, node="node-1", phase="Running"))
    await world.server.given(CONFIG_MAPS, builders.config_map("settings", "default"))
    hard = {"pods": "5", "count/configmaps": "4", "configmaps": "4"}
    await world.server.given(QUOTAS, _document(QUOTAS, "all", "default", spec={"hard": hard}))
    await world.settle()
    await world.user.patch(
        PODS, "a", {"status": {"phase": "Succeeded"}}, namespace="default", subresource="status"
    )
    await world.user.delete(PODS, "b", namespace="default", options=DeleteOptions(grace_period_s=0))
    await world.settle()
    quota = await world.user.get(QUOTAS, "all", namespace="default")
    assert quota.status == {"hard": hard, "used": {"pods": "1", "count/configmaps": "1", "configmaps": "1"}}
    await world.user.patch(
        QUOTAS, "all", {"spec": {"hard": {"secrets": "1", "configmaps": None}}}, namespace="default"
    )
    await world.settle()
    quota = await world.user.get(QUOTAS, "all", namespace="default")
    assert quota.status["used"] == {"pods": "1", "count/configmaps": "1", "secrets": "0"}


async def claims_go(world: CrashWorld) -> None:
    """They are protected from the start, and nobody uses them."""
    claims = documents_of(CLAIMS)
    storage = {"resources": {"requests": {"storage": "1Gi"}}, "accessModes": ["ReadWriteOnce"]}
    for name in ("one", "two"):
        await world.server.given(claims, _document(CLAIMS, name, "default", spec=storage))
        assert (await world.user.get(claims, name, namespace="default")).metadata.finalizers
        await world.user.delete(claims, name, namespace="default")
    await world.settle()
    assert not (await world.user.list(claims)).items


async def a_volume_is_held(world: CrashWorld) -> None:
    """While it is bound."""
    volumes = documents_of(VOLUMES)
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/data"}}
    for name, phase in (("bound", "Bound"), ("free", "Available")):
        await world.server.given(volumes, _document(VOLUMES, name, spec=spec, status={"phase": phase}))
    await world.settle()
    for name in ("bound", "free"):
        await world.user.delete(volumes, name)
    await world.settle()
    assert [each.metadata.name for each in (await world.user.list(volumes)).items] == ["bound"]
    await world.user.patch(volumes, "bound", {"status": {"phase": "Released"}}, subresource="status")
    await world.settle()
    assert not (await world.user.list(volumes)).items


async def roles_are_gathered(world: CrashWorld) -> None:
    """An aggregated role follows those that its labels select, as they come and change."""
    labels = {"to-web": "true"}
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    selecting = {"clusterRoleSelectors": [{"matchLabels": labels}]}
    for name, fields in (("web", {"aggregationRule": selecting, "rules": []}), ("part", {"rules": [rule]})):
        metadata = {"name": name, "labels": labels if name == "part" else {}}
        role = msgspec.convert({"metadata": metadata, **fields}, CLUSTER_ROLES.type)
        await world.server.given(CLUSTER_ROLES, role)
    await world.settle()
    more = {"rules": [{**rule, "verbs": ["get", "list"]}]}
    await world.user.patch(CLUSTER_ROLES, "part", more)
    await world.settle()
    assert (await world.user.get(CLUSTER_ROLES, "web")).rules == (
        await world.user.get(CLUSTER_ROLES, "part")
    ).rules


async def a_token_secret_is_filled(world: CrashWorld) -> None:
    """It has its token, and goes with its account."""
    await world.server.given(NAMESPACES, builders.namespace("space"))
    await world.server.given(
        SERVICE_ACCOUNTS, ServiceAccount(metadata=ObjectMeta(name="robot", namespace="space"))
    )
    meta = ObjectMeta(name="mine", namespace="space", annotations={ACCOUNT_NAME: "robot"})
    await world.server.given(SECRETS, Secret(metadata=meta, type=LEGACY_TYPE))
    await world.settle()
    filled = await world.user.get(SECRETS, "mine", namespace="space")
    assert filled.data.keys() == {"token", "namespace", "ca.crt"}
    await world.user.delete(SERVICE_ACCOUNTS, "robot", namespace="space")
    await world.settle()
    assert not (await world.user.list(SECRETS, Selection("space"))).items


async def ask_for_a_certificate(world: CrashWorld, name: str, *types: str, at: str | None = None) -> None:
    """Ask as a node, and have it decided."""
    spec = CertificateSigningRequestSpec(
        request=requested("system:node:node-1", "system:nodes"),
        signerName="kubernetes.io/kube-apiserver-client-kubelet",
        usages=["digital signature", "client auth"],
    )
    request = CertificateSigningRequest(metadata=ObjectMeta(name=name), spec=spec)
    await world.server.given(CERTIFICATE_SIGNING_REQUESTS, request)
    conditions = [{"type": type_, "status": "True", "lastUpdateTime": at} for type_ in types]
    status = {"status": {"conditions": conditions}}
    if types:
        await world.user.patch(CERTIFICATE_SIGNING_REQUESTS, name, status, subresource="approval")


async def a_node_asks_for_a_certificate(world: CrashWorld) -> None:
    """It is approved."""
    await ask_for_a_certificate(world, "csr")
    await world.settle()
    found = await world.user.get(CERTIFICATE_SIGNING_REQUESTS, "csr")
    assert [each.type for each in found.status.conditions] == ["Approved"]


async def a_certificate_is_approved(world: CrashWorld) -> None:
    """It is signed, and one that is denied is not."""
    await ask_for_a_certificate(world, "good", "Approved")
    await ask_for_a_certificate(world, "bad", "Denied")
    await world.settle()
    found = {each.metadata.name: each for each in (await world.user.list(CERTIFICATE_SIGNING_REQUESTS)).items}
    assert (bool(found["good"].status.certificate), found["bad"].status.certificate) == (True, "")


async def requests_are_old(world: CrashWorld) -> None:
    """They go."""
    await ask_for_a_certificate(world, "old", "Denied", at="2000-01-01T00:00:00Z")
    await ask_for_a_certificate(world, "new", "Denied")
    await world.settle()
    left = (await world.user.list(CERTIFICATE_SIGNING_REQUESTS)).items
    assert [each.metadata.name for each in left] == ["new"]


async def a_policy_is_checked(world: CrashWorld) -> None:
    """Once for each of its generations."""
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["deployments"]}
    for name, expression in (("good", "object.spec.replicas > 1"), ("bad", "object.replicas > 1")):
        spec = {
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": expression}],
        }
        await world.server.given(POLICIES, _document(POLICIES, name, metadata={"generation": 1}, spec=spec))
    await world.settle()
    good, bad = [await world.user.get(POLICIES, name) for name in ("good", "bad")]
    assert good.status == {"observedGeneration": 1, "typeChecking": {}}
    [warning] = bad.status["typeChecking"]["expressionWarnings"]
    assert warning["fieldRef"] == "spec.validations[0].expression"


async def a_budget_is_counted(world: CrashWorld) -> None:
    """Pods of a ReplicaSet come and are evicted; one of them was to go, and stays; then the budget is changed."""
    owned = await world.server.given(REPLICA_SETS, replica_set(replicas=3))
    for number in range(3):
        labels = {"app": "web"}
        pod = builders.pod(
            f"web-{number}", node="node-1", phase="Running", ready=True, labels=labels, owners=[owner(owned)]
        )
        await world.server.given(PODS, pod)
    selector = {"matchLabels": {"app": "web"}}
    spec = {"selector": selector, "maxUnavailable": "50%"}
    budget = {"metadata": {"name": "web", "namespace": "default"}, "spec": spec}
    await world.server.given(POD_DISRUPTION_BUDGETS, msgspec.convert(budget, POD_DISRUPTION_BUDGETS.type))
    await world.settle()
    await world.user.post(
        PODS, "web-0", "eviction", Eviction(metadata=ObjectMeta(name="web-0")), Status, namespace="default"
    )
    target = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "PreemptionByScheduler",
        "lastTransitionTime": "2026-01-01T00:00:10Z",
    }
    conditions = {"status": {"conditions": [{"type": "Ready", "status": "True"}, target]}}
    await world.user.patch(PODS, "web-1", conditions, namespace="default", subresource="status")
    await world.settle()
    await world.cluster.end_pods()
    await world.live(SILENT_S * 2)
    patch = {"spec": {"maxUnavailable": None, "minAvailable": 1}}
    await world.user.patch(POD_DISRUPTION_BUDGETS, "web", patch, namespace="default")
    await world.settle()
    status = (await world.user.get(POD_DISRUPTION_BUDGETS, "web", namespace="default")).status
    assert (status.expectedPods, status.desiredHealthy, status.disruptionsAllowed) == (2, 1, 1)
    stays = await world.user.get(PODS, "web-1", namespace="default")
    assert not is_true(stays.status.conditions, "DisruptionTarget")


async def a_batch_is_run(world: CrashWorld) -> None:
    """Two completions, of which one fails once."""
    await jobs.make(world, completions=2, parallelism=2)
    first = True

    def fails_once(_pod: Pod) -> str:
        nonlocal first
        first, was_first = False, first
        return "Failed" if was_first else "Succeeded"

    await jobs.run_until_quiet(world, fails_once)
    found = await world.user.get(JOBS, "work", namespace="default")
    assert (found.status.succeeded, found.status.failed) == (2, 1)
    assert true_condition(found, "Complete")
    assert not any(pod.metadata.finalizers for pod in (await world.user.list(PODS)).items)


async def jobs_are_old(world: CrashWorld) -> None:
    """One goes some time after it has ended, with its pod first; another one may stay longer meanwhile."""
    for name in ("short", "long"):
        spec = {**msgspec.to_builtins(jobs.job(ttlSecondsAfterFinished=60).spec)}
        spec.pop("selector")
        made = NewJob(metadata=builders.meta(name, "default", uid=""), spec=spec)
        await world.server.given(NEW_JOBS, made)
        now = world.clock.timescale.format(world.clock.now())
        end = {"startTime": now, "completionTime": now, "succeeded": 1}
        said = [
            {"type": type_, "status": "True", "lastTransitionTime": now}
            for type_ in ("SuccessCriteriaMet", "Complete")
        ]
        status = {"status": {**end, "conditions": said}}
        await world.user.patch(JOBS, name, status, namespace="default", subresource="status")
    await world.live(30)
    await world.user.patch(JOBS, "long", {"spec": {"ttlSecondsAfterFinished": 9000}}, namespace="default")
    await world.live(120)
    assert [each.metadata.name for each in (await world.user.list(JOBS)).items] == ["long"]


async def tokens_come_and_go(world: CrashWorld) -> None:
    """Of two bootstrap tokens, one expires."""
    info = changed(builders.config_map("cluster-info", "kube-public"), data={"kubeconfig": "x"})
    await world.server.given(NAMESPACES, builders.namespace("kube-public"))
    await world.server.given(CONFIG_MAPS, info)
    soon = world.clock.timescale.format(world.clock.now() + 60)
    for token_id, expiration in (("abcdef", ""), ("fedcba", soon)):
        values = {"token-id": token_id, "token-secret": "0123456789abcdef", "usage-bootstrap-signing": "true"}
        known = values | ({"expiration": expiration} if expiration else {})
        data = {key: base64.b64encode(text.encode()).decode() for key, text in known.items()}
        meta = builders.meta(f"bootstrap-token-{token_id}", "kube-system", uid="")
        secret = Secret(metadata=meta, type="bootstrap.kubernetes.io/token", data=data)
        await world.server.given(SECRETS, secret)
    await world.settle()
    signed = await world.user.get(CONFIG_MAPS, "cluster-info", namespace="kube-public")
    assert len(signed.data) == 3
    await world.live(90)
    signed = await world.user.get(CONFIG_MAPS, "cluster-info", namespace="kube-public")
    assert sorted(signed.data) == ["jws-kubeconfig-abcdef", "kubeconfig"]
    left = (await world.user.list(SECRETS, Selection(namespace="kube-system"))).items
    assert [each.metadata.name for each in left] == ["bootstrap-token-abcdef"]


async def a_clock_ticks(world: CrashWorld) -> None:
    """A Job is made every ten minutes; it ends, and goes; the next one still works when another is due."""
    template = {"spec": {"template": jobs.job().spec.template}}
    spec = {
        "schedule": "*/10 * * * *",
        "jobTemplate": template,
        "concurrencyPolicy": "Forbid",
        "successfulJobsHistoryLimit": 0,
    }
    tick = {"metadata": {"name": "tick", "namespace": "default"}, "spec": spec}
    await world.server.given(CRON_JOBS, msgspec.convert(tick, CRON_JOBS.type))
    await world.live(690)
    [first] = (await world.user.list(JOBS)).items
    end = {"startTime": "2026-01-01T00:10:00Z", "completionTime": "2026-01-01T00:11:00Z", "succeeded": 1}
    said = [{"type": type_, "status": "True"} for type_ in ("SuccessCriteriaMet", "Complete")]
    status = {"status": {**end, "conditions": said}}
    await world.user.patch(JOBS, first.metadata.name, status, namespace="default", subresource="status")
    await world.live(1200)
    [second] = (await world.user.list(JOBS)).items
    known = (await world.user.get(CRON_JOBS, "tick", namespace="default")).status
    assert second.metadata.annotations[SCHEDULED] == known.lastScheduleTime == "2026-01-01T00:20:00Z"
    assert [each.uid for each in known.active] == [second.metadata.uid]
    assert known.lastSuccessfulTime == "2026-01-01T00:11:00Z"


TRIALS: dict[Build, Trial] = {
    ttl_after_finished.build: Trial(jobs_are_old, beside=(garbage_collector.build,), writes=1),
    token_cleaner.build: Trial(tokens_come_and_go, beside=(bootstrap_signer.build,), writes=3),
    bootstrap_signer.build: Trial(tokens_come_and_go, beside=(token_cleaner.build,), writes=3),
    service_cidr.build: Trial(a_range_comes_and_goes, writes=7),
    disruption.build: Trial(a_budget_is_counted, writes=4),
    endpoints.build: Trial(a_service_has_endpoints, writes=5),
    endpointslicemirroring.build: Trial(endpoints_are_mirrored, writes=5),
    serviceaccount.build: Trial(namespaces_come, writes=10),
    daemonset.build: Trial(daemons_follow_their_nodes, writes=25),
    deployment.build: Trial(a_deployment_rolls, beside=(replicaset.build,), writes=12),
    replicaset.build: Trial(a_replica_set_scales, writes=9, quick=True),
    replicationcontroller.build: Trial(
        partial(a_replica_set_scales, resource=REPLICATION_CONTROLLERS), writes=9
    ),
    horizontal_pod_autoscaler.build: Trial(load_comes_and_goes, writes=4),
    job.build: Trial(a_batch_is_run, writes=12, quick=True),
    statefulset.build: Trial(
        a_stateful_set_rolls,
        beside=(garbage_collector.build, pvc_protection.build),
        writes=18,
    ),
    cronjob.build: Trial(a_clock_ticks, writes=6),
    endpointslice.build: Trial(a_service_is_followed, writes=4, quick=True),
    node_lifecycle.build: Trial(a_node_falls_silent, writes=4),
    taint_eviction.build: Trial(a_node_is_tainted, writes=6),
    node_ipam.build: Trial(nodes_come_and_go, writes=6),
    garbage_collector.build: Trial(owners_go, writes=8),
    pod_gc.build: Trial(pods_are_left_behind, writes=5),
    namespace.build: Trial(a_namespace_goes, writes=4),
    clusterrole_aggregation.build: Trial(roles_are_gathered, writes=2),
    resourcequota.build: Trial(a_quota_is_counted, writes=3),
    pvc_protection.build: Trial(claims_go, writes=2),
    pv_protection.build: Trial(a_volume_is_held, writes=2),
    persistentvolume_binder.build: Trial(volumes_are_bound, writes=8),
    volume_provisioner.build: Trial(
        folders_come_and_go, beside=(persistentvolume_binder.build, pv_protection.build), writes=9, quick=True
    ),
    volume_expand.build: Trial(a_claim_grows, writes=2),
    attachdetach.build: Trial(a_disk_is_attached_and_detached, writes=4),
    resource_claim.build: Trial(devices_are_used_and_freed, writes=7),
    ephemeral_volume.build: Trial(a_pod_has_volumes_of_its_own, writes=3),
    serviceaccount_token.build: Trial(a_token_secret_is_filled, writes=2),
    certificate_approving.build: Trial(a_node_asks_for_a_certificate, writes=2),
    certificate_signing.build: Trial(a_certificate_is_approved, writes=1),
    certificate_cleaning.build: Trial(requests_are_old, writes=1),
    validatingadmissionpolicy_status.build: Trial(a_policy_is_checked, writes=2),
}


def name_of(build: Build) -> str:
    """Return the name of a controller's folder."""
    return build.__module__.split(".")[1]


def test_every_controller_of_the_table_is_tried():
    """One that is added to the table has to be added here."""
    assert {name_of(build) for build in TRIALS} == {name_of(build) for build in CONTROLLERS}


@pytest.mark.parametrize(
    "build",
    [
        build if trial.quick else pytest.param(build, marks=pytest.mark.deep)
        for build, trial in TRIALS.items()
    ],
    ids=name_of,
)
async def test_a_crash_after_any_write_changes_nothing_in_the_end(build: Build):
    """Every object is there that would be, with the same content except for names and times, and no other."""
    trial = TRIALS[build]
    run = partial(play, trial.course, (build, *trial.beside))
    faultless = await run()
    assert faultless.writes >= trial.writes
    for crash_after in sample(range(1, faultless.writes + 1)):
        crashed = await run(Mishap(crash_after=crash_after))
        assert crashed.outcome == faultless.outcome, f"after a crash at write {crash_after}"


@pytest.mark.deep
@pytest.mark.parametrize("build", TRIALS, ids=name_of)
async def test_events_that_come_late_or_never_change_nothing_in_the_end(build: Build):
    """What a watch brings is held up while others go on, or lost, and then listed anew: some of the times, in turn."""
    trial = TRIALS[build]
    run = partial(play, trial.course, (build, *trial.beside))
    faultless = await run()
    times = range(1, faultless.heard + 1)
    for index, at in enumerate(times[:: max(1, len(times) // MISHAPS)]):
        mishap = Mishap(lost=at) if index % 2 else Mishap(late=at)
        assert (await run(mishap)).outcome == faultless.outcome, f"after {mishap}"


def forgetful(caches: Caches, _settings: Settings) -> Controller[Any]:
    """Build a controller that makes a second ConfigMap only while it remembers that it has made the first."""
    namespaces = caches.ask(NAMESPACES, fields=())
    made = caches.ask(CONFIG_MAPS)
    remembered: set[str] = set()

    def plan(name: str, _moment: Moment, _facts: Facts) -> Plan:
        if made.store.get(name, "first") is None:
            remembered.add(name)
            return Plan((create(name, "first"),), requeue_after_s=1)
        return Plan((create(name, "second"),)) if name in remembered else NOTHING_TO_DO

    def create(namespace: str, name: str) -> Create:
        settings = ConfigMap(metadata=ObjectMeta(name=name, namespace=namespace))
        return Create(CONFIG_MAPS, settings, already_exists_is_fine=True)

    watched, writes = (Watched(namespaces, itself),), frozenset({"create configmaps"})
    return Controller("forgetful", watched, lambda key, _moment: key[1], plan, writes=writes)


async def test_a_controller_that_relies_on_its_memory_is_found():
    """The check is shown a fault."""

    async def nothing(_world: CrashWorld) -> None:
        pass

    faultless = await play(nothing, (forgetful,))
    crashed = await play(nothing, (forgetful,), Mishap(crash_after=1))
    assert faultless.writes > 1
    assert crashed.outcome != faultless.outcome


def impatient(caches: Caches, _settings: Settings) -> Controller[Any]:
    """Build a controller that writes down what it does not see for a second as missing."""
    namespaces = caches.ask(NAMESPACES, fields=())
    seen = caches.ask(CONFIG_MAPS)

    def plan(name: str, moment: Moment, _facts: Facts) -> Plan:
        namespace = namespaces.store.get("", name)
        if namespace is None or seen.store.get(name, "settings"):
            return NOTHING_TO_DO
        if (wait_s := 1 - moment.since(namespace.metadata.creationTimestamp)) > 0:
            return Plan(requeue_after_s=wait_s)
        note = ConfigMap(metadata=ObjectMeta(name="missing", namespace=name))
        return Plan((Create(CONFIG_MAPS, note, already_exists_is_fine=True),))

    watched, writes = (Watched(namespaces, itself),), frozenset({"create configmaps"})
    return Controller("impatient", watched, lambda key, _moment: key[1], plan, writes=writes)


async def test_a_controller_that_takes_what_is_late_for_missing_is_found():
    """The check is shown a fault."""

    async def one_namespace(world: CrashWorld) -> None:
        await world.server.given(NAMESPACES, builders.namespace("space"))
        await world.server.given(CONFIG_MAPS, builders.config_map("settings", "space"))

    faultless = await play(one_namespace, (impatient,))
    late = [await play(one_namespace, (impatient,), Mishap(late=at + 1)) for at in range(faultless.heard)]
    assert any(each.outcome != faultless.outcome for each in late)

"""lightkube: apply with a field manager, wait for conditions, watch, patch, logs, exec, and objects without a model."""

from __future__ import annotations

import time

from lightkube import ApiError, Client
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.apps_v1 import DeploymentSpec
from lightkube.models.core_v1 import Container, PodSpec, PodTemplateSpec
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Node, Pod
from lightkube.types import PatchType
from support import SLEEPER, expect_status, namespace


def main() -> None:
    client = Client(namespace=namespace(), field_manager="lightkube")
    assert {node.metadata.name for node in client.list(Node)} >= {"node-1"}
    change_maps(client)
    use_a_kind_without_a_model(client)
    roll_out(client)


def roll_out(client: Client) -> None:
    container = Container(name="main", image="busybox:1.36", command=SLEEPER)
    web = Deployment(
        metadata=ObjectMeta(name="web"),
        spec=DeploymentSpec(
            replicas=1,
            selector=LabelSelector(matchLabels={"app": "web"}),
            template=PodTemplateSpec(
                metadata=ObjectMeta(labels={"app": "web"}),
                spec=PodSpec(containers=[container], terminationGracePeriodSeconds=1),
            ),
        ),
    )
    client.apply(web)
    client.wait(Deployment, "web", for_conditions=["Available"])
    client.apply(web)  # what is applied again changes nothing
    assert client.get(Deployment, "web").metadata.generation == 1
    scale = client.get(Deployment.Scale, "web")
    scale.spec.replicas = 2
    client.replace(scale, "web")
    assert client.get(Deployment, "web").spec.replicas == 2
    (pod, *_) = client.list(Pod, labels={"app": "web"}, fields={"status.phase": "Running"})
    deadline = time.monotonic() + 150
    while not (said := [line.strip() for line in client.log(pod.metadata.name)]):  # it runs, and is about to
        assert time.monotonic() < deadline, "the container says nothing"
        time.sleep(0.1)
    assert said == ["started"]
    # In a client of its own: its thread may go on reading what has been closed already, and so a next connection.
    said = Client(namespace=namespace()).exec(pod.metadata.name, command=["echo", "hello"], stdout=True)
    assert said.stdout == "hello\n", said


def change_maps(client: Client) -> None:
    client.create(
        ConfigMap(metadata=ObjectMeta(name="settings", labels={"app": "web"}), data={"a": "1", "b": "2"})
    )
    patched = client.patch(ConfigMap, "settings", {"data": {"a": None}}, patch_type=PatchType.MERGE)
    assert patched.data == {"b": "2"}
    patched = client.patch(
        ConfigMap,
        "settings",
        [{"op": "replace", "path": "/data/b", "value": "3"}],
        patch_type=PatchType.JSON,
    )
    assert patched.data == {"b": "3"}
    revision = patched.metadata.resourceVersion
    client.delete(ConfigMap, "settings")
    for event, obj in client.watch(
        ConfigMap, fields={"metadata.name": "settings"}, resource_version=revision, server_timeout=90
    ):
        if event == "DELETED":
            assert obj.data == {"b": "3"}
            break
    with expect_status(ApiError, 404):
        client.get(ConfigMap, "settings")
    with expect_status(ApiError, 422):
        client.create(ConfigMap(metadata=ObjectMeta(name="Not Valid")))


def use_a_kind_without_a_model(client: Client) -> None:
    lease = create_namespaced_resource("coordination.k8s.io", "v1", "Lease", "leases")
    client.create(lease(metadata={"name": "mine"}, spec={"holderIdentity": "me", "leaseDurationSeconds": 5}))
    assert client.get(lease, "mine").spec["holderIdentity"] == "me"
    assert [each.metadata.name for each in client.list(lease)] == ["mine"]
    client.deletecollection(lease)
    assert list(client.list(lease)) == []


main()

"""The official client: objects from YAML, an informer, patches, server-side apply, logs, exec, and errors."""

from __future__ import annotations

import threading
import time
from typing import Any

from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.informer import ADDED, DELETED, MODIFIED, SharedInformer
from kubernetes.stream import stream
from support import SLEEPER, expect_status, namespace

WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [{"name": "main", "image": "busybox:1.36", "command": SLEEPER}],
            },
        },
    },
}


class Seen:
    """What an informer tells, and a way to wait for it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.events: list[tuple[str, str]] = []

    def note(self, event: str) -> Any:
        def handler(obj: Any) -> None:
            with self._changed:
                self.events.append((event, obj.metadata.name))
                self._changed.notify_all()

        return handler

    def wait_for(self, event: str, name: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: (event, name) in self.events, timeout=150), self.events


def main() -> None:
    config.load_kube_config()
    core, apps = client.CoreV1Api(), client.AppsV1Api()
    roll_out(core, apps)
    follow_with_an_informer(core)
    patch_in_every_way(core)
    apply_from_two_sides()
    read_a_container(core)
    page_through_lists(core)
    delete_all(core, apps)


def roll_out(core: client.CoreV1Api, apps: client.AppsV1Api) -> None:
    utils.create_from_dict(client.ApiClient(), WEB, namespace=namespace())
    for event in watch.Watch().stream(apps.list_namespaced_deployment, namespace(), timeout_seconds=150):
        if event["object"].status.available_replicas == 2:
            break
    else:
        raise AssertionError("the Deployment was not available within 150 s")
    scale = apps.read_namespaced_deployment_scale("web", namespace())
    scale.spec.replicas = 1
    apps.replace_namespaced_deployment_scale("web", namespace(), scale)
    for event in watch.Watch().stream(
        core.list_namespaced_pod, namespace(), label_selector="app=web", timeout_seconds=150
    ):
        if event["type"] == "DELETED":
            break
    else:
        raise AssertionError("no pod went")
    assert len(core.list_namespaced_pod(namespace(), label_selector="app=web").items) == 1


def follow_with_an_informer(core: client.CoreV1Api) -> None:
    seen = Seen()
    informer = SharedInformer(
        core.list_namespaced_config_map, namespace=namespace(), label_selector="followed=yes"
    )
    for event in (ADDED, MODIFIED, DELETED):
        informer.add_event_handler(event, seen.note(event))
    informer.start()
    body = client.V1ConfigMap(
        metadata=client.V1ObjectMeta(name="first", labels={"followed": "yes"}), data={"a": "1"}
    )
    core.create_namespaced_config_map(namespace(), body)
    seen.wait_for(ADDED, "first")
    core.patch_namespaced_config_map("first", namespace(), {"data": {"a": "2"}})
    seen.wait_for(MODIFIED, "first")
    # An object that no longer fits the selector is gone for who watches with it.
    core.patch_namespaced_config_map("first", namespace(), {"metadata": {"labels": {"followed": "no"}}})
    seen.wait_for(DELETED, "first")
    informer.stop()


def patch_in_every_way(core: client.CoreV1Api) -> None:
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(generate_name="patched-"), data={"a": "1"})
    name = core.create_namespaced_config_map(namespace(), body).metadata.name
    assert name.startswith("patched-")
    changed = core.patch_namespaced_config_map(
        name, namespace(), [{"op": "add", "path": "/data/b", "value": "2"}]
    )
    assert changed.data == {"a": "1", "b": "2"}
    changed = core.patch_namespaced_config_map(
        name, namespace(), {"data": {"a": None}}, _content_type="application/merge-patch+json"
    )
    assert changed.data == {"b": "2"}
    old = changed.metadata.resource_version
    changed.data = {"c": "3"}
    core.replace_namespaced_config_map(name, namespace(), changed)
    changed.metadata.resource_version = old
    with expect_status(ApiException, 409):
        core.replace_namespaced_config_map(name, namespace(), changed)
    preconditions = client.V1DeleteOptions(preconditions=client.V1Preconditions(resource_version=old))
    with expect_status(ApiException, 409):
        core.delete_namespaced_config_map(name, namespace(), body=preconditions)
    with expect_status(ApiException, 404):
        core.read_namespaced_config_map("none", namespace())
    with expect_status(ApiException, 422):
        core.create_namespaced_config_map(namespace(), {"metadata": {"name": "Not Valid"}})


def apply_from_two_sides() -> None:
    maps = dynamic.DynamicClient(client.ApiClient()).resources.get(api_version="v1", kind="ConfigMap")
    wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared"}, "data": {"a": "1"}}
    maps.server_side_apply(body=wanted, name="shared", namespace=namespace(), field_manager="one")
    wanted["data"] = {"b": "2"}
    applied = maps.server_side_apply(body=wanted, name="shared", namespace=namespace(), field_manager="two")
    assert dict(applied.data) == {"a": "1", "b": "2"}
    wanted["data"] = {"a": "3"}
    with expect_status(ApiException, 409):
        maps.server_side_apply(body=wanted, name="shared", namespace=namespace(), field_manager="two")
    applied = maps.server_side_apply(
        body=wanted, name="shared", namespace=namespace(), field_manager="two", force_conflicts=True
    )
    assert dict(applied.data) == {"a": "3"}


def read_a_container(core: client.CoreV1Api) -> None:
    name = core.list_namespaced_pod(namespace(), label_selector="app=web").items[0].metadata.name
    assert await_log(core, name).split() == ["started"]
    said = stream(
        core.connect_get_namespaced_pod_exec,
        name,
        namespace(),
        command=["sh", "-c", "read word; echo got $word; exit 4"],
        stdin=True,
        stdout=True,
        stderr=True,
        _preload_content=False,
    )
    said.write_stdin("hello\n")
    said.run_forever(timeout=90)
    assert (said.read_stdout(), said.returncode) == ("got hello\n", 4)


def await_log(core: client.CoreV1Api, name: str) -> str:
    """Return what a container has said, once it has: one that runs need not have yet."""
    deadline = time.monotonic() + 150
    while not (said := core.read_namespaced_pod_log(name, namespace())):
        assert time.monotonic() < deadline, f"{name} says nothing"
        time.sleep(0.1)
    return said


def page_through_lists(core: client.CoreV1Api) -> None:
    for number in range(7):
        core.create_namespaced_config_map(
            namespace(), {"metadata": {"name": f"page-{number}", "labels": {"paged": "yes"}}}
        )
    names, token = [], None
    while token != "":
        page = core.list_namespaced_config_map(
            namespace(), label_selector="paged=yes", limit=3, **({"_continue": token} if token else {})
        )
        names += [each.metadata.name for each in page.items]
        token = page.metadata._continue or ""
    assert names == [f"page-{number}" for number in range(7)]


def delete_all(core: client.CoreV1Api, apps: client.AppsV1Api) -> None:
    core.delete_collection_namespaced_config_map(namespace(), label_selector="paged=yes")
    assert core.list_namespaced_config_map(namespace(), label_selector="paged=yes").items == []
    apps.delete_namespaced_deployment(
        "web", namespace(), body=client.V1DeleteOptions(propagation_policy="Foreground")
    )
    for event in watch.Watch().stream(apps.list_namespaced_deployment, namespace(), timeout_seconds=150):
        if event["type"] == "DELETED":
            break
    assert core.list_namespaced_pod(namespace(), label_selector="app=web").items == []


main()

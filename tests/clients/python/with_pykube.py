"""pykube-ng: queries, watches, merge patches, scaling, rollouts back, and logs."""

from __future__ import annotations

import time

import pykube
from pykube.exceptions import HTTPError, ObjectDoesNotExist
from support import SLEEPER, expect_status, namespace

WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": namespace()},
    "spec": {
        "replicas": 1,
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


def main() -> None:
    api = pykube.HTTPClient(pykube.KubeConfig.from_env())
    assert api.version == ("1", "36")
    roll_out(api)
    change_maps(api)


def roll_out(api: pykube.HTTPClient) -> None:
    web = pykube.Deployment(api, WEB)
    web.create()
    until(lambda: ready(web), "ready")
    web.scale(2)
    assert web.replicas == 2
    pods = pykube.Pod.objects(api, namespace=namespace()).filter(selector={"app": "web"})
    until(lambda: len(pods.all()) == 2, "scaled")
    assert len(pods.filter(field_selector={"status.phase": "Failed"})) == 0
    assert next(iter(pods)).name.startswith("web-")
    until(lambda: ready(web), "ready")
    pod = next(iter(pods.all()))
    until(
        lambda: pod.logs().split() == ["started"], "logged"
    )  # a container that runs need not have said it yet
    web.reload()
    web.obj["spec"]["template"]["spec"]["containers"][0]["image"] = "busybox:1.37"
    web.update()
    until(lambda: ready(web), "ready again")
    web.delete(propagation_policy="Foreground")
    until(lambda: not web.exists(), "deleted")


def ready(web: pykube.Deployment) -> bool:
    web.reload()
    status = web.obj["status"]
    return status.get("readyReplicas") == status.get("updatedReplicas") == web.replicas and web.ready


def until(true: object, what: str, within_s: float = 150) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, f"not {what} within {within_s} s"
        time.sleep(0.1)


def change_maps(api: pykube.HTTPClient) -> None:
    settings = pykube.ConfigMap(
        api,
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "settings", "namespace": namespace()},
            "data": {"a": "1"},
        },
    )
    settings.create()
    watching = pykube.ConfigMap.objects(api, namespace=namespace()).watch(
        since=settings.metadata["resourceVersion"]
    )
    settings.labels["tier"] = "front"
    settings.update()
    settings.patch({"data": {"b": "2"}})
    settings.delete()
    seen = []
    for event in watching:
        if event.object.name == "settings":
            seen.append(event.type)
        if event.type == "DELETED":
            assert event.object.obj["data"] == {"a": "1", "b": "2"}
            break
    assert seen == ["MODIFIED", "MODIFIED", "DELETED"]
    try:
        pykube.ConfigMap.objects(api, namespace=namespace()).get_by_name("settings")
    except ObjectDoesNotExist:
        pass
    else:
        raise AssertionError("it is still there")
    wrong = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "X", "namespace": namespace()}}
    with expect_status(HTTPError, 422):
        pykube.ConfigMap(api, wrong).create()


main()

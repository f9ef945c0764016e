"""kr8s: objects that know how to wait, scale, be labelled, run commands, be logged and be reached."""

from __future__ import annotations

import urllib.request

import kr8s
from kr8s.objects import ConfigMap, Deployment, Namespace, Service
from support import namespace

WEB = {
    "metadata": {"name": "web", "namespace": namespace()},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "terminationGracePeriodSeconds": 2,
                "containers": [{"name": "nginx", "image": "nginx:1.25", "ports": [{"containerPort": 80}]}],
            },
        },
    },
}
SERVICE = {
    "metadata": {"name": "web", "namespace": namespace()},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
}


def main() -> None:
    api = kr8s.api()
    assert api.version()["gitVersion"].startswith("v1.36.")
    assert {"v1", "apps/v1"} <= set(api.api_versions())
    assert Namespace.get(namespace()).exists()
    roll_out()
    reach_it()
    change_maps()
    delete_it()


def roll_out() -> None:
    web = Deployment(WEB)
    web.create()
    web.wait("condition=Available", timeout=150)
    web.scale(2)
    web.wait("jsonpath='{.status.readyReplicas}'=2", timeout=150)
    web.label(tier="front")
    web.annotate(note="hello")
    assert [each.name for each in kr8s.get("deployments", namespace=namespace(), label_selector="tier=front")]
    assert len(web.pods()) == 2


def reach_it() -> None:
    (pod, *_) = Deployment.get("web", namespace=namespace()).pods()
    said = pod.exec(["sh", "-c", "echo out; echo err >&2"])
    assert (said.stdout, said.stderr) == (b"out\n", b"err\n")
    assert list(pod.logs()) == []
    with pod.portforward(remote_port=80) as port:
        assert "Welcome to nginx" in fetch(port)
    service = Service(SERVICE)
    service.create()
    with service.portforward(remote_port=80) as port:
        assert "Welcome to nginx" in fetch(port)


def fetch(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
        return answer.read().decode()


def change_maps() -> None:
    settings = ConfigMap({"metadata": {"name": "settings", "namespace": namespace()}, "data": {"a": "1"}})
    settings.create()
    settings.patch({"data": {"b": "2"}})
    settings.patch([{"op": "remove", "path": "/data/a"}], type="json")
    assert dict(settings.data) == {"b": "2"}
    before = settings.metadata["resourceVersion"]
    settings.patch({"data": {"c": "3"}})
    for event, changed in kr8s.watch("configmaps", namespace=namespace(), since=before):
        if changed.name == "settings":
            assert (event, dict(changed.data)) == ("MODIFIED", {"b": "2", "c": "3"})
            break
    try:
        ConfigMap.get("none", namespace=namespace(), timeout=1)
    except kr8s.NotFoundError:
        pass
    else:
        raise AssertionError("no NotFoundError")


def delete_it() -> None:
    web = Deployment.get("web", namespace=namespace())
    web.delete(propagation_policy="Foreground")
    web.wait("delete", timeout=150)
    assert [each.name for each in kr8s.get("pods", namespace=namespace(), label_selector="app=web")] == []


main()

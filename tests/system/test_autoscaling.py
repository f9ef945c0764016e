"""Autoscaling by what real containers use, and by what they say of themselves; the cluster's time runs twenty times as fast."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from kubarium import Cluster
from tests.support.clusters import clusters
from tests.support.kubectl import Kubectl, eventually, is_ready, own_namespace
from tests.support.requirements import need

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

SCALE = 20
EXAMPLES = Path(__file__).parents[2] / "examples"
EXAMPLE = EXAMPLES / "custom-metrics"
BUSY = "until [ -e /tmp/enough ]; do :; done"


@pytest.fixture(scope="module")
def scaling(images: None) -> Iterator[Cluster]:
    """Two nodes of real containers."""
    need("etcd", "docker", "cni", "kubectl")
    with clusters() as start:
        yield start("scaling", nodes=2, runtime="docker", time_scale=SCALE)


@pytest.fixture
def mail(scaling: Cluster) -> Iterator[Kubectl]:
    """A namespace of its own."""
    with own_namespace(scaling.kubeconfig, "mail") as kubectl:
        yield kubectl


def deployment(name: str, container: dict[str, Any], **template: Any) -> dict[str, Any]:
    """Return a Deployment of two pods, which end at once."""
    metadata = {"labels": {"app": name}, **template.pop("metadata", {})}
    spec = {"terminationGracePeriodSeconds": 1, "containers": [{"name": "main", **container}], **template}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": metadata, "spec": spec},
        },
    }


def autoscaler(name: str, metrics: list[dict[str, Any]], most: int, **behavior: Any) -> dict[str, Any]:
    """Return the autoscaler of a Deployment, from 2 pods on."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": f"{name}-hpa"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": 2,
            "maxReplicas": most,
            "metrics": metrics,
            "behavior": behavior,
        },
    }


def replicas(kubectl: Kubectl, name: str) -> int:
    """Return how many pods a Deployment is to have."""
    found: int = kubectl.get("deployment", name)["spec"]["replicas"]
    return found


def rescales(kubectl: Kubectl) -> list[tuple[datetime, int]]:
    """Return when, in seconds of this machine, the autoscaler of the web application chose which size."""
    told = kubectl.get("events", "--field-selector=reason=SuccessfulRescale")
    sizes = (
        (each["firstTimestamp"], re.match(r"New size: (\d+);", each["message"]))
        for each in told
        if each["involvedObject"]["name"] == "web-app-hpa"
    )
    return sorted((datetime.fromisoformat(at), int(size[1])) for at, size in sizes if size)


def says(kubectl: Kubectl, name: str, *words: str) -> None:
    """Wait until an autoscaler's line has some words: it is written when the size has been."""

    def said() -> bool:
        line = kubectl("get", "hpa", name, "--no-headers")
        return all(word in line for word in words)

    eventually(said, what=f"{words} of {name}")


def start(kubectl: Kubectl, pod: str, work: str) -> None:
    """Have something go on in a pod beside its application."""
    kubectl("exec", pod, "--", "sh", "-c", f"setsid sh -c '{work}' </dev/null >/dev/null 2>&1 &")


@pytest.mark.timeout(900)
def test_pods_come_with_load_and_go_without_it(scaling: Cluster):
    """The lessons' web application: by the CPU that its containers use, with its behavior; and what `kubectl top` shows of it.

    Four pods at most come in 15 s. None goes before the load has been over for 300 s, then a tenth of them in 60 s. The target
    is a lower one than the lessons': of a busy machine the containers do not get as much as that.
    """
    kubectl = Kubectl(scaling.kubeconfig, "production")
    for name in ("web-app.yaml", "web-app-autoscaler.yaml"):
        kubectl("apply", "-f", str(EXAMPLES / name))
    target = {"op": "replace", "path": "/spec/metrics/0/resource/target/averageUtilization", "value": 30}
    most = {"op": "replace", "path": "/spec/maxReplicas", "value": 10}
    kubectl("patch", "hpa", "web-app-hpa", "--type=json", "--patch", json.dumps([target, most]))
    kubectl("rollout", "status", "deployment/web-app", "--timeout=180s", timeout_s=200)

    def conditions() -> dict[str, str]:
        status = kubectl.get("hpa", "web-app-hpa").get("status", {})
        return {each["type"]: each.get("reason", "") for each in status.get("conditions", [])}

    eventually(lambda: conditions().get("ScalingActive") == "ValidMetricFound", what="metrics are found")
    first = [pod["metadata"]["name"] for pod in kubectl.pods("app=web-app")]
    busy = first[:2]
    for name in busy:
        start(kubectl, name, BUSY)

    def first_two() -> list[str]:
        top = kubectl("top", "pods", "--containers", "-l", "app=web-app", "--sort-by=cpu", "--no-headers")
        return sorted(
            line.split()[0] for line in top.splitlines()[:2] if int(line.split()[2].removesuffix("m")) > 50
        )

    eventually(lambda: first_two() == sorted(busy), what="those that work are at the top")
    assert "web-app" in kubectl("top", "pods", "-A")

    def nodes() -> set[str]:
        lines = kubectl.run("top", "nodes", "--no-headers").out.splitlines()
        return {line.split()[0] for line in lines if line}

    eventually(lambda: nodes() == {"node-1", "node-2"}, what="measures of both nodes")
    start(kubectl, first[2], BUSY)
    eventually(lambda: replicas(kubectl, "web-app") > 3, timeout_s=200, what="scaled up")
    says(kubectl, "web-app-hpa", "Deployment/web-app", "%/30%", "%/80%")
    reason = "cpu resource utilization (percentage of request) above target"
    eventually(lambda: reason in kubectl("describe", "hpa", "web-app-hpa"), what="the event")

    for name in first:
        kubectl("exec", name, "--", "touch", "/tmp/enough")
    eventually(lambda: replicas(kubectl, "web-app") == 3, timeout_s=200, what="scaled down to the least")
    told = eventually(
        lambda: (found := rescales(kubectl)) and found[-1][1] == 3 and found, what="the last event"
    )
    assert told[0][1] <= 7
    highest = max(range(len(told)), key=lambda index: told[index][1])
    downs = told[highest:]
    assert (downs[1][0] - downs[0][0]).total_seconds() >= 300 / SCALE - 1
    for (before_at, before), (after_at, after) in pairwise(downs):
        assert after == max(3, before * 9 // 10)
        assert (after_at - before_at).total_seconds() >= 60 / SCALE - 1
    kubectl("delete", "-f", str(EXAMPLES / "web-app.yaml"), "--wait=false")


@pytest.fixture
def lesson(scaling: Cluster) -> Iterator[Kubectl]:
    """A namespace of its own."""
    with own_namespace(scaling.kubeconfig, "lesson") as kubectl:
        yield kubectl


MY_APP = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: my-app
spec:
  replicas: 3                    # Pod 개수
  selector:
    matchLabels:
      app: my-app
  template:                      # Pod 템플릿
    metadata:
      labels:
        app: my-app
    spec:
      containers:
        - name: my-app
          image: my-app:1.0
          ports:
            - containerPort: 8080
          resources:             # 리소스 설정
            requests:
              cpu: "100m"
              memory: "128Mi"
            limits:
              cpu: "500m"
              memory: "512Mi"
"""
MY_APP_AUTOSCALER = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: my-app-hpa
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: my-app
  minReplicas: 2
  maxReplicas: 10
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: 70  # CPU 사용률 70% 유지
"""


def test_an_autoscaler_has_the_say_over_replicas(lesson: Kubectl):
    """Without load it goes below the manifest's `replicas`, to its own least; with load above it; never below its least."""
    kubectl = lesson
    kubectl("apply", "-f", "-", stdin=MY_APP)
    kubectl("rollout", "status", "deployment/my-app", "--timeout=180s", timeout_s=200)
    assert replicas(kubectl, "my-app") == 3
    kubectl("apply", "-f", "-", stdin=MY_APP_AUTOSCALER)
    eventually(lambda: replicas(kubectl, "my-app") == 2, timeout_s=120, what="scaled down to the least")
    says(kubectl, "my-app-hpa", "%/70%")
    name, reference, _, _, least, most, *_ = kubectl("get", "hpa", "--no-headers").split()
    assert (name, reference, least, most) == ("my-app-hpa", "Deployment/my-app", "2", "10")

    def staying() -> list[str]:
        pods = (each["metadata"] for each in kubectl.pods("app=my-app"))
        return [meta["name"] for meta in pods if "deletionTimestamp" not in meta]

    for pod in eventually(lambda: len(found := staying()) == 2 and found, what="the third pod goes"):
        start(kubectl, pod, BUSY)
    eventually(lambda: replicas(kubectl, "my-app") > 2, timeout_s=120, what="scaled up")
    kubectl("delete", "deployment", "my-app")
    kubectl(
        "apply",
        "-f",
        "-",
        stdin=MY_APP.replace("  replicas: 3 ", "  # replicas: 3  ← HPA가 관리하므로 생략 가능!"),
    )
    eventually(lambda: replicas(kubectl, "my-app") == 2, timeout_s=120, what="scaled up to the least")


# What an interpreter needs, as it is on this machine: no image with Python has to be there.
MOUNTED = ("/usr", "/lib", "/lib64", str(Path(sys.base_prefix).resolve()))


def with_python(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the adapter's Deployment on this machine's Python, with nothing else changed."""
    spec = manifest["spec"]["template"]["spec"]
    [container] = spec["containers"]
    container["image"] = "busybox:1.36"
    container["command"][0] = os.path.realpath(sys.executable)
    for number, path in enumerate(path for path in MOUNTED if Path(path).is_dir()):
        spec["volumes"].append({"name": f"host-{number}", "hostPath": {"path": path}})
        container["volumeMounts"].append({"name": f"host-{number}", "mountPath": path, "readOnly": True})
    return manifest


@pytest.fixture
def adapter(scaling: Cluster, tmp_path: Path) -> Iterator[Kubectl]:
    """The example's adapter, which runs in a pod as its manifest says."""
    import base64

    import yaml

    kubectl = Kubectl(scaling.kubeconfig)
    name = "metrics-adapter.default.svc"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=metrics-adapter",
         "-addext", f"subjectAltName=DNS:{name}", "-keyout", tmp_path / "tls.key", "-out", tmp_path / "tls.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    kubectl(
        "create",
        "secret",
        "tls",
        "metrics-adapter",
        f"--cert={tmp_path}/tls.crt",
        f"--key={tmp_path}/tls.key",
    )
    kubectl("create", "configmap", "metrics-adapter", f"--from-file={EXAMPLE / 'adapter.py'}")
    bundle = base64.b64encode((tmp_path / "tls.crt").read_bytes()).decode()
    text = (EXAMPLE / "adapter.yaml").read_text().replace("CA_BUNDLE", bundle)
    objects = [each for each in yaml.safe_load_all(text) if each]
    for each in objects:  # some are of kube-system
        own = Kubectl(scaling.kubeconfig, each["metadata"].get("namespace", "default"))
        own.apply(with_python(each) if each["kind"] == "Deployment" else each)
    yield kubectl
    kubectl("delete", "--ignore-not-found", "--wait=false", "apiservice", "v1beta2.custom.metrics.k8s.io", "v1beta1.external.metrics.k8s.io")  # fmt: skip


SAYS = """mkdir -p /tmp/www
printf 'queue_length{queue="mail"} %s\\nqueue_length{queue="print"} 0.5\\n' "$1" >/tmp/www/metrics
exec httpd -f -p 8080 -h /tmp/www"""


def test_what_pods_say_of_themselves_scales_them(adapter: Kubectl, mail: Kubectl):
    """An extension server in a pod, reached through its node; an autoscaler that follows what it serves."""
    kubectl = mail
    annotations = {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"}
    container = {"image": "busybox:1.36", "command": ["sh", "-c", SAYS, "sh", "20"]}
    kubectl.apply(
        deployment("queue", container, metadata={"labels": {"app": "queue"}, "annotations": annotations})
    )
    kubectl("rollout", "status", "deployment/queue", "--timeout=180s", timeout_s=200)
    for service in ("v1beta2.custom.metrics.k8s.io", "v1beta1.external.metrics.k8s.io"):
        adapter("wait", f"apiservice/{service}", "--for=condition=Available", "--timeout=180s", timeout_s=200)

    custom = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/mail/pods/*/queue_length"
    external = "/apis/external.metrics.k8s.io/v1beta1/namespaces/mail/queue_length"

    def values(page: str) -> list[str]:
        done = kubectl.run("get", "--raw", page)
        return [each["value"] for each in json.loads(done.out)["items"]] if done.code == 0 else []

    for page, value in (
        (f"{custom}?labelSelector=app%3Dqueue", "20500m"),
        (f"{external}?labelSelector=queue%3Dmail", "20000m"),
    ):
        eventually(lambda page=page, value=value: values(page) == [value] * 2, what=page)  # type: ignore[misc]

    mail = {"name": "queue_length", "selector": {"matchLabels": {"queue": "mail"}}}
    per_pod = {
        "type": "Pods",
        "pods": {"metric": mail, "target": {"type": "AverageValue", "averageValue": "10"}},
    }
    outside = {
        "type": "External",
        "external": {"metric": mail, "target": {"type": "AverageValue", "averageValue": "30"}},
    }
    kubectl.apply(autoscaler("queue", [per_pod, outside], 3))
    eventually(lambda: replicas(kubectl, "queue") == 3, timeout_s=120, what="scaled up")
    says(kubectl, "queue-hpa", "20/10", "/30 (avg)")
    reason = "pods metric queue_length above target"
    eventually(lambda: reason in kubectl("describe", "hpa", "queue-hpa"), what="the event")
    eventually(lambda: sum(map(is_ready, kubectl.pods("app=queue"))) == 3, what="three pods")

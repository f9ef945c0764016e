"""The real kubectl, without flags that a user would not set."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from tests.support.kubectl import Kubectl, eventually, is_ready

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

SLEEPER = "trap 'exit 0' TERM; echo started; while :; do sleep 0.2; done"


@pytest.fixture
def web(kubectl: Kubectl) -> Kubectl:
    """A Deployment `web` with two replicas, rolled out."""
    kubectl("create", "deployment", "web", "--image=busybox:1.36", "--replicas=2", "--", "sh", "-c", SLEEPER)
    kubectl("rollout", "status", "deployment/web", "--timeout=180s", timeout_s=200)
    return kubectl


def test_nodes_are_listed_as_kubectl_users_know_them(kubectl: Kubectl):
    """`get nodes -o wide` shows status, version, address and runtime."""
    lines = kubectl("get", "nodes", "-o", "wide").splitlines()
    assert lines[0].split()[:6] == ["NAME", "STATUS", "ROLES", "AGE", "VERSION", "INTERNAL-IP"]
    assert [line.split()[1] for line in lines[1:]] == ["Ready"] * 3
    assert "docker://" in lines[1]


def test_a_pod_is_described_with_its_events(web: Kubectl):
    """`describe pod` tells who scheduled, pulled, created and started it."""
    name = web.pods()[0]["metadata"]["name"]
    said = eventually(lambda: "Started" in (text := web("describe", "pod", name)) and text, what="events")
    for word in ("Scheduled", "Pulled", "Created", "Started", "Node:", "Conditions:", "QoS Class:"):
        assert word in said


def test_scale_set_image_history_and_undo(web: Kubectl):
    """A Deployment is scaled, updated, looked at and taken back."""
    web("scale", "deployment/web", "--replicas=3")
    web("set", "image", "deployment/web", "busybox=busybox:1.37")
    web("rollout", "status", "deployment/web", "--timeout=180s", timeout_s=200)
    assert {pod["spec"]["containers"][0]["image"] for pod in web.pods() if is_ready(pod)} == {"busybox:1.37"}
    revisions = [
        line.split()[0] for line in web("rollout", "history", "deployment/web").splitlines()[2:] if line
    ]
    assert revisions == ["1", "2"]
    web("rollout", "undo", "deployment/web")
    web("rollout", "status", "deployment/web", "--timeout=180s", timeout_s=200)
    eventually(
        lambda: (
            {pod["spec"]["containers"][0]["image"] for pod in web.pods() if is_ready(pod)} == {"busybox:1.36"}
        )
    )


def test_logs_are_followed_and_kept_of_the_previous_container(kubectl: Kubectl):
    """`logs -f` ends with the container, `--previous` shows the one before."""
    script = "echo run; sleep 4; echo end; exit 3"  # as long as somebody needs to see that it runs
    kubectl("run", "talker", "--image=busybox:1.36", "--restart=OnFailure", "--", "sh", "-c", script)
    eventually(lambda: _status(kubectl, "talker").get("restartCount", 0) >= 1, what="a restart")
    assert kubectl("logs", "talker", "--previous").split() == ["run", "end"]
    eventually(
        lambda: "running" in _status(kubectl, "talker").get("state", {}), what="running again", timeout_s=200
    )
    assert kubectl("logs", "-f", "talker").split() == ["run", "end"]


def test_exec_gives_streams_and_the_exit_code(web: Kubectl):
    """`exec -i` hands stdin over and half-closes it; the command's exit code is kubectl's."""
    name = web.pods()[0]["metadata"]["name"]
    assert web("exec", "-i", name, "--", "wc", "-c", stdin="12345").strip() == "5"
    outcome = web.run("exec", name, "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (outcome.code, outcome.out, "err" in outcome.err) == (7, "out\n", True)


def test_a_node_is_debugged_from_a_pod_on_it(kubectl: Kubectl):
    """`debug node/…` mounts the machine's root and joins its namespaces."""
    script = "test -d /host/var/lib && hostname && echo done"
    said = kubectl("debug", "node/node-2", "--image=busybox:1.36", "--", "sh", "-c", script)
    found = re.search(r"node-debugger-node-2-\w+", said)
    assert found is not None
    name = found.group()
    eventually(lambda: kubectl.get("pod", name)["status"]["phase"] == "Succeeded", what="the debugger's end")
    assert kubectl("logs", name).split() == ["node-2", "done"]


def test_watch_shows_what_happens(web: Kubectl):
    """`get -w` prints a line for every change until it is ended."""
    watch = subprocess.Popen(web.command("get", "deployment", "web", "-w"), stdout=subprocess.PIPE, text=True)
    assert watch.stdout is not None
    assert watch.stdout.readline().startswith("NAME")
    assert watch.stdout.readline().split()[1] == "2/2"
    web("scale", "deployment/web", "--replicas=1")
    seen = ""
    while "1/1" not in seen:
        seen = watch.stdout.readline()
        assert seen
    watch.terminate()
    watch.communicate(timeout=60)


def test_cordon_and_taint_keep_pods_away(kubectl: Kubectl):
    """A pod that fits no node stays Pending, with the reason counted per node."""
    kubectl("cordon", "node-1")
    kubectl("taint", "node", "node-2", "gpu=true:NoSchedule")
    try:
        kubectl.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "picky"},
                "spec": {
                    "nodeSelector": {"kubernetes.io/hostname": "node-2"},
                    "containers": [{"name": "main", "image": "busybox:1.36"}],
                },
            }
        )
        said = eventually(
            lambda: "FailedScheduling" in (text := kubectl("get", "events")) and text, what="FailedScheduling"
        )
        assert "0/3 nodes are available" in said
        assert kubectl.get("pod", "picky")["status"]["phase"] == "Pending"
    finally:
        kubectl("uncordon", "node-1")
        kubectl("taint", "node", "node-2", "gpu-")


def test_labels_selectors_and_output_forms(web: Kubectl):
    """Label, select, and read as yaml, name and jsonpath."""
    name = web.pods()[0]["metadata"]["name"]
    web("label", "pod", name, "tier=front")
    assert web("get", "pods", "-l", "tier=front", "-o", "name").strip() == f"pod/{name}"
    assert "kind: Pod" in web("get", "pod", name, "-o", "yaml")
    assert web("get", "pods", "--field-selector", f"metadata.name={name}", "-o", "name").split() == [
        f"pod/{name}"
    ]


def test_apply_twice_changes_nothing_and_a_change_is_merged(kubectl: Kubectl):
    """Apply is idempotent; a field that is taken out of the manifest is taken out of the object."""
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings"},
        "data": {"a": "1", "b": "2"},
    }
    assert "created" in kubectl("apply", "-f", "-", stdin=_json(manifest))
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=_json(manifest))
    manifest["data"] = {"a": "3"}
    assert "configured" in kubectl("apply", "-f", "-", stdin=_json(manifest))
    assert kubectl.get("configmap", "settings")["data"] == {"a": "3"}


def test_explain_and_api_resources(kubectl: Kubectl):
    """The published schemas are explained, and the resources are discovered."""
    assert "replicas" in kubectl("explain", "deployment.spec")
    assert "deployments" in kubectl("api-resources", "--api-group=apps", "-o", "name")


def _status(kubectl: Kubectl, name: str) -> dict:
    return (kubectl.get("pod", name)["status"].get("containerStatuses") or [{}])[0]


def _json(value: object) -> str:
    return json.dumps(value)

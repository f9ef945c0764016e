"""What Kubernetes has and Kubarium has not is refused with a sentence, never ignored."""

from __future__ import annotations

import pytest

from apiserver.core.kinds import KINDS
from apiserver.core.values import Json
from machinery.model.errors import NotImplementedHere
from tests.support.pod_specs import created, deployment, pod


@pytest.mark.parametrize(
    ("obj", "path"),
    [
        (pod(volumes=[{"name": "a", "projected": {"sources": [{"clusterTrustBundle": {"path": "p"}}]}}]), "spec.volumes[0].projected.sources[0].clusterTrustBundle"),
        (pod(container={"lifecycle": {"stopSignal": "SIGUSR1"}}, os={"name": "linux"}), "spec.containers[0].lifecycle.stopSignal"),
    ],
)  # fmt: skip
def test_a_pod_that_asks_for_it_gets_a_501(obj: Json, path: str) -> None:
    """The sentence names the field."""
    with pytest.raises(NotImplementedHere) as caught:
        created(obj)
    assert caught.value.message.startswith(path)
    assert "not built" in caught.value.message


def test_a_template_that_asks_for_it_gets_a_501() -> None:
    """A Deployment is refused at once, instead of its pods one by one."""
    with pytest.raises(NotImplementedHere, match=r"^spec\.template\.spec\.schedulingGroup is not built"):
        created(deployment(template={"schedulingGroup": {"podGroupName": "a"}}), "deployments", "apps")


@pytest.mark.parametrize(
    "obj",
    [
        pod(hostUsers=False, container={"securityContext": {"procMount": "Unmasked"}}),
        pod(hostUsers=True),
        pod(shareProcessNamespace=True),
        pod(setHostnameAsFQDN=True, subdomain="a"),
        pod(os={"name": "linux"}),
        pod(
            os={"name": "windows"},
            hostNetwork=True,
            securityContext={"windowsOptions": {"hostProcess": True}},
        ),
        pod(container={"lifecycle": {"preStop": {"tcpSocket": {"port": 1}}}}),
        pod(volumes=[{"name": "a", "emptyDir": {"medium": "HugePages"}}]),
    ],
)
def test_what_a_node_may_refuse_is_stored(obj: Json) -> None:
    """It is a correct object; whether it can run is its kubelet's to say."""
    assert created(obj)["status"]["phase"] == "Pending"


def test_a_limit_on_disk_is_no_reason_for_a_warning() -> None:
    """Kubelets hold pods to it."""
    volumes = [
        {"name": "a", "emptyDir": {"sizeLimit": "1Gi"}},
        {"name": "b", "emptyDir": {"sizeLimit": "1Gi", "medium": "Memory"}},
    ]
    limits = {"resources": {"limits": {"ephemeral-storage": "1Gi", "cpu": "1"}}}
    assert KINDS["", "pods"].rules.unenforced(created(pod(volumes=volumes, container=limits))) == ()
    template = created(deployment(template={"volumes": volumes}), "deployments", "apps")
    assert KINDS["apps", "deployments"].rules.unenforced(template) == ()


def test_what_has_no_effect_on_such_a_node_is_warned_of() -> None:
    """SELinux and Windows options, resizing, what is asked for if possible: accepted, as by every Linux node."""
    mount = {"name": "a", "mountPath": "/a", "readOnly": True, "recursiveReadOnly": "IfPossible"}
    selinux = {"seLinuxOptions": {"level": "s0:c1,c2"}}
    spec = pod(
        volumes=[{"name": "a", "emptyDir": {}}],
        securityContext={
            **selinux,
            "seLinuxChangePolicy": "Recursive",
            "windowsOptions": {"runAsUserName": "a"},
        },
        container={
            "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}],
            "securityContext": selinux,
            "volumeMounts": [mount],
        },
    )
    stored = created(spec)
    assert stored["spec"]["securityContext"]["seLinuxOptions"] == selinux["seLinuxOptions"]
    assert [text.partition(" has no effect")[0] for text in KINDS["", "pods"].rules.unenforced(stored)] == [
        "spec.securityContext.seLinuxOptions",
        "spec.securityContext.seLinuxChangePolicy",
        "spec.securityContext.windowsOptions",
        "spec.containers[0].volumeMounts[0].recursiveReadOnly",
        "spec.containers[0].securityContext.seLinuxOptions",
    ]


@pytest.mark.parametrize(
    "spec",
    [
        {"runtimeClassName": "gvisor"},
        {"overhead": {"cpu": "10m"}},
        {"securityContext": {"supplementalGroupsPolicy": "Strict"}},
        {"securityContext": {"appArmorProfile": {"type": "RuntimeDefault"}}},
        {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
    ],
)
def test_what_others_judge_is_stored_in_a_template(spec: Json) -> None:
    """Whether there is such a class is admission's to say, whether a node can is the node's; nothing warns of it."""
    template = created(deployment(template=spec), "deployments", "apps")
    assert spec.items() <= template["spec"]["template"]["spec"].items()
    assert KINDS["apps", "deployments"].rules.unenforced(template) == ()

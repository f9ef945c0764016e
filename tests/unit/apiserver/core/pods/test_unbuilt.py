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
        (pod(volumes=[{"name": "a", "persistentVolumeClaim": {"claimName": "c"}}]), "spec.volumes[0].persistentVolumeClaim"),
        (pod(volumes=[{"name": "a", "emptyDir": {"medium": "HugePages"}}]), "spec.volumes[0].emptyDir.medium"),
        (pod(volumes=[{"name": "a", "projected": {"sources": [{"clusterTrustBundle": {"path": "p"}}]}}]), "spec.volumes[0].projected.sources[0].clusterTrustBundle"),
        (pod(container={"volumeDevices": [{"name": "a", "devicePath": "/dev/x"}]}), "spec.containers[0].volumeDevices"),
        (pod(container={"resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}]}), "spec.containers[0].resizePolicy"),
        (pod(runtimeClassName="gvisor"), "spec.runtimeClassName"),
        (pod(hostUsers=False), "spec.hostUsers"),
        (pod(os={"name": "windows"}), "spec.os.name"),
        (pod(resourceClaims=[{"name": "gpu"}]), "spec.resourceClaims"),
        (pod(shareProcessNamespace=True), "spec.shareProcessNamespace"),
        (pod(securityContext={"sysctls": [{"name": "a", "value": "1"}]}), "spec.securityContext.sysctls"),
        (pod(container={"resources": {"claims": [{"name": "gpu"}]}}), "spec.containers[0].resources.claims"),
        (pod(container={"lifecycle": {"preStop": {"tcpSocket": {"port": 1}}}}), "spec.containers[0].lifecycle.preStop.tcpSocket"),
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
    with pytest.raises(NotImplementedHere, match=r"^spec\.template\.spec\.runtimeClassName is not built"):
        created(deployment(template={"runtimeClassName": "gvisor"}), "deployments", "apps")


@pytest.mark.parametrize(
    "obj", [pod(hostUsers=True), pod(shareProcessNamespace=False), pod(os={"name": "linux"})]
)
def test_what_says_the_same_as_silence_is_fine(obj: Json) -> None:
    """A field that asks for what is there anyway is accepted."""
    assert created(obj)["status"]["phase"] == "Pending"


def test_a_limit_on_disk_is_warned_of() -> None:
    """It is stored, as ordinary manifests have it, and nothing holds a pod to it; a tmpfs has its size."""
    volumes = [
        {"name": "a", "emptyDir": {"sizeLimit": "1Gi"}},
        {"name": "b", "emptyDir": {"sizeLimit": "1Gi", "medium": "Memory"}},
    ]
    limits = {"resources": {"limits": {"ephemeral-storage": "1Gi", "cpu": "1"}}}
    spec = pod(volumes=volumes, container=limits)
    found = KINDS["", "pods"].rules.unenforced(created(spec))
    assert [warning.partition(" is not enforced")[0] for warning in found] == [
        "spec.volumes[0].emptyDir.sizeLimit",
        "spec.containers[0].resources.limits[ephemeral-storage]",
    ]
    assert KINDS["", "pods"].rules.unenforced(created(pod())) == ()
    template = created(deployment(template={"volumes": volumes}), "deployments", "apps")
    assert (
        KINDS["apps", "deployments"].rules.unenforced(template)[0].startswith("spec.template.spec.volumes[0]")
    )

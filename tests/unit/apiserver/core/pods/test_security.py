"""Kernel parameters, profiles and options of other systems: what is malformed is refused, in Kubernetes' words."""

from __future__ import annotations

import pytest

from apiserver.core.values import Json
from tests.support.pod_specs import complaints, deployment, pod


def sysctls(*names: str, **spec: object) -> Json:
    """Return a pod that sets kernel parameters."""
    context = {"sysctls": [{"name": name, "value": "1"} for name in names]}
    return pod(securityContext=context, **spec)


def profile(kind: str, name: str | None = None, **spec: object) -> Json:
    """Return a pod with an AppArmor profile."""
    value = {"type": kind} if name is None else {"type": kind, "localhostProfile": name}
    return pod(securityContext={"appArmorProfile": value}, **spec)


def windows(**options: object) -> Json:
    """Return a pod whose container has Windows options."""
    return pod(container={"securityContext": {"windowsOptions": options}})


@pytest.mark.parametrize(
    "obj",
    [
        sysctls("net.ipv4.tcp_syncookies", "kernel.shm_rmid_forced", "net/ipv4/conf/eno2.100/rp_filter"),
        sysctls("kernel.msgmax", hostNetwork=True),
        sysctls("net.core.somaxconn", hostIPC=True),
        profile("RuntimeDefault"),
        profile("Unconfined"),
        profile("Localhost", "k8s-deny"),
        windows(runAsUserName="NT AUTHORITY\\SYSTEM", gmsaCredentialSpecName="web", gmsaCredentialSpec="{}"),
        windows(runAsUserName="corp.example\\web"),
        pod(securityContext={"seLinuxChangePolicy": "MountOption"}),
        pod(container={"securityContext": {"procMount": "Default"}}),
        pod(restartPolicy="Never", container={"resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}]}),
    ],
)  # fmt: skip
def test_what_kubernetes_takes_is_taken(obj: Json) -> None:
    """Nothing is said against it."""
    assert complaints(obj) == []


def test_the_name_of_a_profile_is_bounded() -> None:
    """It is a path on the node."""
    where = "spec.securityContext.appArmorProfile.localhostProfile"
    assert complaints(profile("Localhost", "a" * 4096)) == [
        f"{where}: Too long: may not be more than 4095 bytes"
    ]


@pytest.mark.parametrize(
    ("mount", "said"),
    [
        ({"recursiveReadOnly": "IfPossible"}, "Forbidden: may only be specified when readOnly is true"),
        ({"recursiveReadOnly": "IfPossible", "readOnly": True, "mountPropagation": "HostToContainer"}, "Forbidden: may only be specified when mountPropagation is None or not specified"),
        ({"recursiveReadOnly": "Always"}, 'Unsupported value: "Always": supported values: "Disabled", "Enabled", "IfPossible"'),
    ],
)  # fmt: skip
def test_a_mount_that_is_read_only_all_through_is_read_only(mount: Json, said: str) -> None:
    """It says so itself, and nothing is mounted into it later."""
    obj = pod(
        volumes=[{"name": "a", "emptyDir": {}}],
        container={"volumeMounts": [{"name": "a", "mountPath": "/a", **mount}]},
    )
    assert complaints(obj) == [f"spec.containers[0].volumeMounts[0].recursiveReadOnly: {said}"]


def test_a_template_names_its_class_and_overhead_well() -> None:
    """Whether the class exists is asked for each pod; that it could is asked here."""
    said = complaints(
        deployment(template={"runtimeClassName": "No", "overhead": {"cpu": "-1"}}), "deployments", "apps"
    )
    assert [text.split(": ")[0] for text in said] == [
        "spec.template.spec.runtimeClassName",
        "spec.template.spec.overhead.limits[cpu]",
    ]

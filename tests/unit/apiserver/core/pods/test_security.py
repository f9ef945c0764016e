"""Kernel parameters, profiles and options of other systems: what is malformed is refused, in Kubernetes' words."""

from __future__ import annotations

import pytest

from apiserver.core.values import Json
from tests.support.pod_specs import complaints, deployment, pod

NAME_TEXT = (
    r"must have at most 253 characters and match regex "
    r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
)


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


@pytest.mark.parametrize(
    ("obj", "said"),
    [
        (sysctls(""), ["sysctls[0].name: Required value"]),
        (sysctls("Net.ipv4"), [f'sysctls[0].name: Invalid value: "Net.ipv4": {NAME_TEXT}']),
        (sysctls("a..b"), [f'sysctls[0].name: Invalid value: "a..b": {NAME_TEXT}']),
        (sysctls("a." * 126 + "bc"), [f'sysctls[0].name: Invalid value: "{"a." * 126}bc": {NAME_TEXT}']),
        (sysctls("kernel.sem", "kernel.sem"), ['sysctls[1].name: Duplicate value: "kernel.sem"']),
        (sysctls("net/core/somaxconn", hostNetwork=True), ["sysctls[0].name: Invalid value: \"net/core/somaxconn\": may not be specified when 'hostNetwork' is true"]),
        (sysctls("kernel.shm_rmid_forced", hostIPC=True), ["sysctls[0].name: Invalid value: \"kernel.shm_rmid_forced\": may not be specified when 'hostIPC' is true"]),
        (pod(securityContext={"appArmorProfile": {"type": ""}}), ["appArmorProfile.type: Required value: type is required when appArmorProfile is set"]),
        (profile("Strict"), ['appArmorProfile.type: Unsupported value: "Strict": supported values: "Localhost", "RuntimeDefault", "Unconfined"']),
        (profile("Localhost"), ["appArmorProfile.localhostProfile: Required value: must be set when AppArmor type is Localhost"]),
        (profile("Localhost", " a"), ['appArmorProfile.localhostProfile: Invalid value: " a": must not be padded with whitespace']),
        (profile("Localhost", "a" * 4096), ["appArmorProfile.localhostProfile: Too long: may not be more than 4095 bytes"]),
        (profile("Unconfined", "a"), ['appArmorProfile.localhostProfile: Invalid value: "a": can only be set when AppArmor type is Localhost']),
        (pod(securityContext={"seLinuxChangePolicy": "Never"}), ['seLinuxChangePolicy: Unsupported value: "Never": supported values: "MountOption", "Recursive"']),
        (pod(securityContext={"supplementalGroupsPolicy": "None"}), ['supplementalGroupsPolicy: Unsupported value: "None": supported values: "Merge", "Strict"']),
    ],
)  # fmt: skip
def test_a_pods_context_is_checked(obj: Json, said: list[str]) -> None:
    """Every fault is named by its field."""
    assert complaints(obj) == [f"spec.securityContext.{text}" for text in said]


@pytest.mark.parametrize(
    ("obj", "said"),
    [
        (windows(runAsUserName="a\\b\\c"), 'securityContext.windowsOptions.runAsUserName: Invalid value: "a\\\\b\\\\c": runAsUserName cannot contain more than one backslash'),
        (windows(runAsUserName="a\n"), 'securityContext.windowsOptions.runAsUserName: Invalid value: "a\\n": runAsUserName cannot contain control characters'),
        (windows(runAsUserName="..."), 'securityContext.windowsOptions.runAsUserName: Invalid value: "...": runAsUserName\'s User cannot contain only periods or spaces'),
        (windows(runAsUserName="a|b"), 'securityContext.windowsOptions.runAsUserName: Invalid value: "a|b": runAsUserName\'s User cannot contain the following characters: "/\\:;|=,+*?<>@[]'),
        (windows(runAsUserName="*\\b"), 'securityContext.windowsOptions.runAsUserName: Invalid value: "*\\\\b": runAsUserName\'s Domain doesn\'t match the NetBios nor the DNS format'),
        (pod(os={"name": "linux"}, container={"securityContext": {"windowsOptions": {"runAsUserName": "a"}}}), "securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod"),
        (pod(container={"securityContext": {"procMount": "Masked"}}), 'securityContext.procMount: Unsupported value: "Masked": supported values: "Default", "Unmasked"'),
        (pod(container={"resizePolicy": [{"resourceName": "disk", "restartPolicy": "NotRequired"}]}), 'resizePolicy: Unsupported value: "disk": supported values: "cpu", "memory"'),
        (pod(container={"resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}] * 2}), 'resizePolicy[1]: Duplicate value: "cpu"'),
        (pod(restartPolicy="Never", container={"resizePolicy": [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]}), "resizePolicy: Invalid value: \"RestartContainer\": must be 'NotRequired' when `restartPolicy` is 'Never'"),
    ],
)  # fmt: skip
def test_a_containers_context_is_checked(obj: Json, said: str) -> None:
    """The field is the container's."""
    assert complaints(obj) == [f"spec.containers[0].{said}"]


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

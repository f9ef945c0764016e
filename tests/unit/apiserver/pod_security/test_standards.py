"""Every rule of the Pod Security Standards, in each of its forms, in the words that kubectl shows.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.pod_security.policy import LEVELS, Level, LevelVersion
from apiserver.core.pod_security.standards import LATEST, RULES, checks, evaluate
from apiserver.core.pod_security.violations import details, reasons
from apiserver.core.values import Json

GOOD: Json = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def container(name: str = "a", **context: Any) -> Json:
    """Return a container with a security context of its own, beside what the restricted level demands."""
    return {"name": name, "image": "app:1", "securityContext": {**GOOD, **context}}


def spec(*containers: Json, context: Json | None = None, **fields: Any) -> Json:
    """Return the spec of a pod; with no containers given it has a good one."""
    own = {} if context is None else {"securityContext": context}
    return {"containers": list(containers) or [container()], **own, **fields}


def found(level: str, pod: Json, version: int | None = None, **annotations: str) -> str:
    """Return what a pod breaks, with the details."""
    return details(evaluate(LevelVersion(LEVELS[level], version), {"annotations": annotations}, pod))


ESCALATION = "allowPrivilegeEscalation != false"
BASELINE = [
    (spec(hostNetwork=True), "host namespaces (hostNetwork=true)"),
    (
        spec(hostIPC=True, hostPID=True, hostNetwork=True),
        "host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)",
    ),
    (
        spec(container(privileged=True)),
        'privileged (container "a" must not set securityContext.privileged=true)',
    ),
    (
        spec(container("b", privileged=True), initContainers=[container("i", privileged=True)]),
        'privileged (containers "i", "b" must not set securityContext.privileged=true)',
    ),
    (
        spec(ephemeralContainers=[container("e", privileged=True)]),
        'privileged (container "e" must not set securityContext.privileged=true)',
    ),
    (
        spec(container() | {"ports": [{"hostPort": 80}, {"hostPort": 443}, {"containerPort": 1}]}),
        'hostPort (container "a" uses hostPorts 443, 80)',
    ),
    (
        spec(container("a") | {"ports": [{"hostPort": 80}]}, container("b") | {"ports": [{"hostPort": 80}]}),
        'hostPort (containers "a", "b" use hostPort 80)',
    ),
    (
        spec(container(procMount="Unmasked"), container("b", procMount="Default")),
        'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
    ),
    (
        spec(context={"sysctls": [{"name": "net.core.somaxconn"}, {"name": "kernel.msgmax"}, {"name": "net.ipv4.tcp_rmem"}]}),
        "forbidden sysctls (net.core.somaxconn, kernel.msgmax)",
    ),
    (
        spec(context={"windowsOptions": {"hostProcess": True}}),
        "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)",
    ),
    (
        spec(container(windowsOptions={"hostProcess": True}), context={"windowsOptions": {"hostProcess": True}}),
        'hostProcess (pod and container "a" must not set securityContext.windowsOptions.hostProcess=true)',
    ),
    (
        spec(context={"seLinuxOptions": {"type": "spc_t", "user": "u", "role": "r"}}),
        'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set; role may not be set)',
    ),
    (
        spec(
            container("a", seLinuxOptions={"type": "x"}),
            container("b", seLinuxOptions={"level": "s0"}),
            container("c", seLinuxOptions={"role": "r"}),
            context={"seLinuxOptions": {"type": "y"}},
        ),
        'seLinuxOptions (pod and containers "a", "c" set forbidden securityContext.seLinuxOptions: types "x", "y"; role may not be set)',
    ),
    (
        spec(context={"appArmorProfile": {"type": "Unconfined"}}),
        'forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")',
    ),
    (
        spec(container() | {"livenessProbe": {"httpGet": {"host": "10.0.0.1"}}}),
        'probe or lifecycle host (container "a" uses probe or lifecycle host "10.0.0.1")',
    ),
    (
        spec(
            container("b") | {"readinessProbe": {"tcpSocket": {"host": "z"}}, "startupProbe": {"httpGet": {"port": 1}}},
            container("a") | {"lifecycle": {"preStop": {"httpGet": {"host": "y"}}, "postStart": {"tcpSocket": {"host": "z"}}}},
        ),
        'probe or lifecycle host (containers "a", "b" use probe or lifecycle hosts "y", "z")',
    ),
]  # fmt: skip
BOTH = [
    (
        spec(container(capabilities={"add": ["NET_RAW", "CHOWN", "ALL"], "drop": ["ALL"]})),
        'non-default capabilities (container "a" must not include "ALL", "NET_RAW" in securityContext.capabilities.add)',
        'unrestricted capabilities (container "a" must not include "ALL", "CHOWN", "NET_RAW" in securityContext.capabilities.add)',
    ),
    (
        spec(volumes=[{"name": "v", "hostPath": {"path": "/"}}, {"name": "w", "emptyDir": {}}]),
        'hostPath volumes (volume "v")',
        'restricted volume types (volume "v" uses restricted volume type "hostPath")',
    ),
    (
        spec(volumes=[{"name": "w", "hostPath": {"path": "/"}}, {"name": "v", "hostPath": {"path": "/"}}]),
        'hostPath volumes (volumes "w", "v")',
        'restricted volume types (volumes "w", "v" use restricted volume type "hostPath")',
    ),
    (
        spec(context={"seccompProfile": {"type": "Unconfined"}}),
        'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
        'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
    ),
    (
        spec(container("a", seccompProfile={"type": "Unconfined"}), container("b", seccompProfile={"type": "Odd"})),
        'seccompProfile (containers "a", "b" must not set securityContext.seccompProfile.type to "Odd", "Unconfined")',
        'seccompProfile (containers "a", "b" must not set securityContext.seccompProfile.type to "Odd", "Unconfined")',
    ),
]  # fmt: skip
RESTRICTED = [
    (spec(container(allowPrivilegeEscalation=True)), f'{ESCALATION} (container "a" must set securityContext.allowPrivilegeEscalation=false)'),
    (spec(container(allowPrivilegeEscalation=None), container("b", allowPrivilegeEscalation=None)), f'{ESCALATION} (containers "a", "b" must set securityContext.allowPrivilegeEscalation=false)'),
    (spec(container(capabilities={"drop": ["NET_RAW"]})), 'unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"])'),
    (
        spec(container("a", capabilities=None), container("b", capabilities={"add": ["CHOWN"]})),
        'unrestricted capabilities (containers "a", "b" must set securityContext.capabilities.drop=["ALL"]; container "b" must not include "CHOWN" in securityContext.capabilities.add)',
    ),
    (spec(volumes=[{"name": "n", "nfs": {}}, {"name": "h", "iscsi": {}}]), 'restricted volume types (volumes "n", "h" use restricted volume types "iscsi", "nfs")'),
    (spec(container(runAsNonRoot=None), container("b")), 'runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true)'),
    (spec(context={"runAsNonRoot": False}), "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)"),
    (
        spec(container("a", runAsNonRoot=False), container("b", runAsNonRoot=False), context={"runAsNonRoot": False}),
        'runAsNonRoot != true (pod and containers "a", "b" must not set securityContext.runAsNonRoot=false)',
    ),
    (spec(context={"runAsUser": 0}), "runAsUser=0 (pod must not set runAsUser=0)"),
    (spec(container(runAsUser=0), container("b", runAsUser=1), context={"runAsUser": 0}), 'runAsUser=0 (pod and container "a" must not set runAsUser=0)'),
    (
        spec(container(seccompProfile=None), container("b", seccompProfile=None)),
        'seccompProfile (pod or containers "a", "b" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("pod", "told"), BASELINE)
def test_what_the_baseline_refuses_both_levels_refuse(pod: Json, told: str):
    """In the same words; the privileged level refuses nothing."""
    assert [found(level, pod) for level in LEVELS] == ["", told, told]


@pytest.mark.parametrize(("pod", "baseline", "restricted"), BOTH)
def test_a_rule_of_the_restricted_level_stands_for_one_of_the_baseline(
    pod: Json, baseline: str, restricted: str
):
    """One thing is told once."""
    assert [found(level, pod) for level in LEVELS] == ["", baseline, restricted]


@pytest.mark.parametrize(("pod", "told"), RESTRICTED)
def test_what_only_the_restricted_level_refuses(pod: Json, told: str):
    """The baseline does not look at it."""
    assert [found(level, pod) for level in LEVELS] == ["", "", told]


@pytest.mark.parametrize(
    "pod",
    [
        spec(),
        spec({"name": "a", "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}}, context={"runAsNonRoot": True, "runAsUser": 1, "seccompProfile": {"type": "Localhost"}}),
        spec(volumes=[{"name": kind, kind: {}} for kind in ("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret")]),
        spec(context={"appArmorProfile": {"type": "Localhost"}, "seLinuxOptions": {"type": "container_t", "level": "s0"}, "sysctls": [{"name": "kernel.shm_rmid_forced"}]}),
        spec(container(privileged=False, procMount="Default", appArmorProfile={"type": "RuntimeDefault"}), hostNetwork=False),
        spec(container() | {"ports": [{"containerPort": 80, "hostPort": 0}], "livenessProbe": {"httpGet": {"host": ""}}}),
        {"containers": []},
    ],
)  # fmt: skip
def test_what_every_level_admits(pod: Json):
    """Of fields and volumes the harmless values; what a pod says holds for its containers."""
    assert [found(level, pod) for level in LEVELS] == ["", "", ""]


def test_annotations_that_were_before_fields_count():
    """AppArmor's always; those of seccomp before there was a field."""
    apparmor = {"container.apparmor.security.beta.kubernetes.io/a": "unconfined"}
    told = 'forbidden AppArmor profile (annotation must not set AppArmor profile type to "container.apparmor.security.beta.kubernetes.io/a="unconfined"")'
    assert found("baseline", spec(), **apparmor) == told
    both = spec(container(appArmorProfile={"type": "Unconfined"}))
    assert found("baseline", both, **apparmor).startswith(
        'forbidden AppArmor profiles (container "a" and annotation must not set AppArmor profile type to "Unconfined", '
    )
    fine = {
        f"container.apparmor.security.beta.kubernetes.io/{name}": name
        for name in ("runtime/default", "localhost/x")
    }
    assert found("restricted", spec(), **fine) == ""
    seccomp = {
        "seccomp.security.alpha.kubernetes.io/pod": "unconfined",
        "container.seccomp.security.alpha.kubernetes.io/a": "docker/default",
        "container.seccomp.security.alpha.kubernetes.io/other": "unconfined",
    }
    told = 'seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod="unconfined")'
    assert found("baseline", spec(), 18, **seccomp) == told
    assert found("baseline", spec(), 19, **seccomp) == ""
    assert found("baseline", spec(context={"seccompProfile": {"type": "Unconfined"}}), 18) == ""


BARE = spec({"name": "a"})


@pytest.mark.parametrize(
    ("level", "pod", "begun", "told"),
    [
        ("baseline", spec(container() | {"livenessProbe": {"httpGet": {"host": "h"}}}), 34, "probe or lifecycle host"),
        ("restricted", spec(container(allowPrivilegeEscalation=None)), 8, ESCALATION),
        ("restricted", spec(container(capabilities=None)), 22, "unrestricted capabilities"),
        ("restricted", spec(container(seccompProfile=None)), 19, "seccompProfile"),
        ("restricted", spec(context={"runAsUser": 0}), 23, "runAsUser=0"),
    ],
)  # fmt: skip
def test_a_rule_begins_with_a_version(level: str, pod: Json, begun: int, told: str):
    """Before it pods were not refused for that; from it on they are, also in versions of the future."""
    broken = [reasons(evaluate(LevelVersion(LEVELS[level], minor), {}, pod)) for minor in range(LATEST + 2)]
    assert broken == [""] * begun + [told] * (LATEST + 2 - begun)


@pytest.mark.parametrize(
    ("level", "pod", "ended", "told"),
    [
        ("baseline", spec(context={"sysctls": [{"name": "net.ipv4.ip_local_reserved_ports"}]}), 27, "forbidden sysctls"),
        *(("baseline", spec(context={"sysctls": [{"name": f"net.ipv4.tcp_{name}"}]}), 29, "forbidden sysctls") for name in ("fin_timeout", "keepalive_intvl", "keepalive_probes", "keepalive_time")),
        *(("baseline", spec(context={"sysctls": [{"name": f"net.ipv4.tcp_{name}"}]}), 32, "forbidden sysctls") for name in ("rmem", "wmem")),
        ("baseline", spec(context={"seLinuxOptions": {"type": "container_engine_t"}}), 31, "seLinuxOptions"),
        ("baseline", spec(container(procMount="Unmasked"), hostUsers=False), 35, "procMount"),
        ("restricted", spec(container(runAsNonRoot=None), hostUsers=False), 35, "runAsNonRoot != true"),
    ],
)  # fmt: skip
def test_a_rule_is_relaxed_with_a_version(level: str, pod: Json, ended: int, told: str):
    """Sysctls that became safe, a type of SELinux, and pods whose root is nobody on the node."""
    broken = [reasons(evaluate(LevelVersion(LEVELS[level], minor), {}, pod)) for minor in range(LATEST + 2)]
    assert broken == [told] * ended + [""] * (LATEST + 2 - ended)


def test_an_unmasked_proc_is_never_restricted_and_root_may_be_where_it_is_nobody():
    """User namespaces relax what they make harmless only."""
    pod = spec(container(procMount="Unmasked", runAsUser=0, runAsNonRoot=False), hostUsers=False)
    assert [reasons(evaluate(LevelVersion(Level.RESTRICTED, minor), {}, pod)) for minor in (34, 35)] == [
        "procMount, runAsNonRoot != true, runAsUser=0",
        "procMount",
    ]
    on_the_node = {**pod, "hostUsers": True}
    assert reasons(evaluate(LevelVersion(Level.BASELINE), {}, on_the_node)) == "procMount"


def test_pods_for_windows_need_not_say_what_windows_does_not_have():
    """From v1.25 on; who runs as whom is said there, too."""
    pod = {**BARE, "os": {"name": "windows"}}
    every = f"{ESCALATION}, unrestricted capabilities, runAsNonRoot != true, seccompProfile"
    assert [reasons(evaluate(LevelVersion(Level.RESTRICTED, minor), {}, pod)) for minor in (24, 25)] == [
        every,
        "runAsNonRoot != true",
    ]
    linux = {**BARE, "os": {"name": "linux"}}
    assert reasons(evaluate(LevelVersion(Level.RESTRICTED), {}, linux)) == every


def test_the_baseline_is_told_first_each_level_in_the_order_of_its_rules():
    """So messages can be compared and searched for."""
    pod = spec(
        {"name": "a", "securityContext": {"privileged": True, "runAsUser": 0}, "ports": [{"hostPort": 1}]},
        hostPID=True,
        volumes=[{"name": "v", "hostPath": {}}],
        context={"sysctls": [{"name": "x"}]},
    )
    assert reasons(evaluate(LevelVersion(Level.RESTRICTED), {}, pod)) == (
        "host namespaces, hostPort, privileged, forbidden sysctls, "
        f"{ESCALATION}, unrestricted capabilities, restricted volume types, runAsNonRoot != true, runAsUser=0, seccompProfile"
    )
    for rules in RULES.values():
        assert [rule.id for rule in rules] == sorted(rule.id for rule in rules)


def test_the_table_holds_together():
    """Forms of a rule are in order, every rule that is replaced is one, and a level contains the one before it."""
    baseline = {rule.id for rule in RULES[Level.BASELINE]}
    for rule in (rule for rules in RULES.values() for rule in rules):
        assert list(rule.since) == sorted(rule.since)
        assert rule.replaces in {"", *baseline}
    assert LATEST == 35  # the newest form that v1.36 has
    for minor in range(LATEST + 1):
        assert checks(LevelVersion(Level.PRIVILEGED, minor)) == ()
        assert len(checks(LevelVersion(Level.BASELINE, minor))) >= 11

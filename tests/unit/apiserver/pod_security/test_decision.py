"""What becomes of pods, templates and namespaces under a policy.

https://kubernetes.io/docs/concepts/security/pod-security-admission/
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from apiserver.core.pod_security import decision
from apiserver.core.pod_security.decision import Decision, decide, is_significant, warn_of_pods
from apiserver.core.pod_security.policy import (
    PREFIX,
    Exemptions,
    Level,
    LevelVersion,
    PodSecuritySettings,
    Policy,
)
from apiserver.core.values import Json

OPEN = PodSecuritySettings()


def labelled(**said: str) -> dict[str, str]:
    """Return labels of a namespace."""
    return {f"{PREFIX}{name.replace('_', '-')}": value for name, value in said.items()}


def privileged(name: str = "web", **fields: Any) -> Json:
    """Return a pod that the baseline refuses."""
    container = {"name": "a", "image": "app:1", "securityContext": {"privileged": True}}
    return {"metadata": {"name": name}, "spec": {"containers": [container], **fields}}


def harmless(name: str = "web") -> Json:
    """Return a pod that only the restricted level refuses."""
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "a", "image": "app:1"}]}}


def judged(pod: Json, settings: PodSecuritySettings = OPEN, *, is_pod: bool = True, **said: str) -> Decision:
    """Judge a pod in a namespace with labels."""
    return decide(settings, labelled(**said), pod["metadata"], pod["spec"], is_pod=is_pod)


TOLD = 'privileged (container "a" must not set securityContext.privileged=true)'


def test_a_pod_that_breaks_what_is_enforced_is_refused_and_not_warned_of():
    """The audit log hears of it in any case."""
    found = judged(privileged(), enforce="baseline", warn="baseline", audit="baseline", audit_version="v1.9")
    assert found == Decision(
        refusal=f'violates PodSecurity "baseline:latest": {TOLD}',
        annotations={
            f"{PREFIX}enforce-policy": "baseline:latest",
            f"{PREFIX}audit-violations": f'would violate PodSecurity "baseline:v1.9": {TOLD}',
        },
    )


def test_a_pod_that_breaks_what_is_warned_of_is_admitted():
    """With the words of a refusal that would be."""
    found = judged(privileged(), warn="baseline", warn_version="v1.30")
    assert found == Decision(
        warnings=(f'would violate PodSecurity "baseline:v1.30": {TOLD}',),
        annotations={f"{PREFIX}enforce-policy": "privileged:latest"},
    )


def test_a_template_is_never_refused():
    """It is warned of what is enforced: its pods will be refused."""
    found = judged(privileged(), is_pod=False, enforce="baseline", audit="privileged")
    assert found == Decision(warnings=(f'would violate PodSecurity "baseline:latest": {TOLD}',))


def test_a_pod_that_keeps_to_everything_is_only_noted():
    """What was enforced is noted also where that is nothing."""
    assert judged(harmless(), enforce="baseline") == Decision(
        annotations={f"{PREFIX}enforce-policy": "baseline:latest"}
    )
    assert judged(privileged()) == Decision(annotations={f"{PREFIX}enforce-policy": "privileged:latest"})
    assert judged(privileged(), is_pod=False) == Decision()


def test_labels_that_cannot_be_read_enforce_the_strictest():
    """And the audit log hears why."""
    found = judged(harmless(), enforce="strict", warn_version="1")
    assert found.refusal.startswith(
        'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false'
    )
    assert found.annotations[f"{PREFIX}error"] == (
        f'Failed to parse policy: [metadata.labels[{PREFIX}enforce]: Invalid value: "strict": must be one of '
        f'privileged, baseline, restricted, metadata.labels[{PREFIX}warn-version]: Invalid value: "1": '
        'must be "latest" or "v1.x"]'
    )


def test_a_runtime_class_may_be_exempt():
    """As sandboxes are, whose root is not the node's."""
    settings = PodSecuritySettings(exemptions=Exemptions(runtime_classes=frozenset({"sandbox"})))
    exempt = judged(privileged(runtimeClassName="sandbox"), settings, enforce="restricted")
    assert exempt == Decision(annotations={f"{PREFIX}exempt": "runtimeClass"})
    assert judged(privileged(runtimeClassName="other"), settings, enforce="restricted").refusal
    assert judged(privileged(), settings, enforce="restricted").refusal


def test_a_cluster_may_demand_more_than_nothing():
    """Where a namespace says something, that holds."""
    settings = PodSecuritySettings(Policy(enforce=LevelVersion(Level.BASELINE)))
    assert judged(privileged(), settings).refusal
    assert not judged(privileged(), settings, enforce="privileged").refusal


def test_only_images_and_containers_make_a_change_of_a_pod_worth_a_look():
    """Labels, tolerations, deadlines change without."""
    old = privileged()
    old["spec"]["initContainers"] = [{"name": "i", "image": "app:1"}]
    debugged = deepcopy(old)
    debugged["spec"]["ephemeralContainers"] = [{"name": "e", "image": "sh"}]
    same = deepcopy(old)
    same["metadata"]["labels"] = {"app": "web"}
    same["spec"] |= {"tolerations": [{}], "activeDeadlineSeconds": 5}
    assert not is_significant(same, old)
    assert is_significant(debugged, old)
    assert not is_significant(debugged, debugged)
    assert not is_significant(old, debugged)
    for field in ("containers", "initContainers"):
        other = deepcopy(old)
        other["spec"][field][0]["image"] = "app:2"
        assert is_significant(other, old)
        longer = deepcopy(old)
        longer["spec"][field].append({"name": "more", "image": "app:1"})
        assert is_significant(longer, old)
    changed = deepcopy(debugged)
    changed["spec"]["ephemeralContainers"][0]["image"] = "bash"
    assert is_significant(changed, debugged)


# Namespaces


@pytest.mark.parametrize(
    ("old", "new", "asks"),
    [
        ({}, {"enforce": "baseline"}, True),
        ({"enforce": "baseline"}, {"enforce": "restricted"}, True),
        ({"enforce": "baseline"}, {"enforce": "baseline", "enforce_version": "v1.20"}, True),
        ({"enforce": "restricted"}, {"enforce": "baseline", "enforce_version": "v1.20"}, True),
        ({"enforce": "restricted"}, {"enforce": "baseline"}, False),
        ({"enforce": "restricted"}, {"enforce": "privileged", "enforce_version": "v1.1"}, False),
        ({"enforce": "baseline"}, {"enforce": "baseline", "enforce_version": "latest"}, False),
        ({"warn": "baseline"}, {"warn": "restricted", "audit": "restricted"}, False),
        ({"enforce": "baseline"}, {}, False),
    ],
)
def test_pods_are_looked_at_where_they_may_break_what_is_new(
    old: dict[str, str], new: dict[str, str], *, asks: bool
):
    """Not where the enforced level sinks in the same version, or is none."""
    assert decision.asks_for_more(OPEN, labelled(**new), labelled(**old)) is asks


def test_a_wrong_label_is_refused_where_it_is_new():
    """Who has one from before may change the rest."""
    wrong, worse = labelled(enforce="strict"), labelled(enforce="strict", warn="strict")
    assert len(decision.wrong_labels(OPEN, wrong, None)) == 1
    assert decision.wrong_labels(OPEN, wrong, wrong) == ()
    assert len(decision.wrong_labels(OPEN, wrong, {})) == 1
    assert len(decision.wrong_labels(OPEN, worse, wrong)) == 2
    assert decision.wrong_labels(OPEN, {}, wrong) == ()


def owned(pod: Json, uid: str) -> Json:
    """Return a pod of a controller."""
    pod["metadata"]["ownerReferences"] = [{"uid": "x"}, {"uid": uid, "controller": True}]
    return pod


def test_pods_that_break_what_is_new_are_told_together():
    """By the first of their names, and how many more there are; each sort in its line."""
    pods = [
        *(owned(privileged(name), "rs") for name in ("web-c", "web-a", "web-b")),
        privileged("y", hostNetwork=True),
        privileged("x", hostNetwork=True),
        privileged("alone", hostPID=True, hostNetwork=True, volumes=[{"name": "v", "hostPath": {}}]),
        harmless("good"),
    ]
    assert warn_of_pods(OPEN, "team", labelled(enforce="baseline"), pods) == (
        'existing pods in namespace "team" violate the new PodSecurity enforce level "baseline:latest"',
        "alone: host namespaces, hostPath volumes, privileged",
        "web-a (and 2 other pods): privileged",
        "x (and 1 other pod): host namespaces, privileged",
    )
    assert warn_of_pods(OPEN, "team", labelled(enforce="baseline"), [harmless()]) == ()
    assert warn_of_pods(OPEN, "team", labelled(enforce="baseline"), []) == ()


def test_of_very_many_pods_the_first_are_looked_at(monkeypatch: pytest.MonkeyPatch):
    """One of each controller before its others; it is told that there are more. Exempt ones do not count."""
    monkeypatch.setattr(decision, "MOST_PODS", 3)
    settings = PodSecuritySettings(exemptions=Exemptions(runtime_classes=frozenset({"sandbox"})))
    pods = [
        *(owned(harmless(f"a-{number}"), "a") for number in range(4)),
        privileged("exempt", runtimeClassName="sandbox"),
        owned(privileged("b-0"), "b"),
        owned(privileged("b-1"), "b"),
        privileged("last"),
    ]
    assert warn_of_pods(settings, "team", labelled(enforce="baseline"), pods) == (
        "new PodSecurity enforce level only checked against the first 3 of 7 existing pods",
        'existing pods in namespace "team" violate the new PodSecurity enforce level "baseline:latest"',
        "b-0 (and 1 other pod): privileged",
    )


def test_an_exempt_namespace_hears_that_its_labels_are_for_nothing():
    """Only those that it has itself, and that ask for something."""
    said = labelled(enforce="baseline", enforce_version="v1.20", audit="privileged")
    assert decision.warn_of_exemption(OPEN, "kube-system", said) == (
        'namespace "kube-system" is exempt from Pod Security, and the policy (enforce=baseline:v1.20) will be ignored',
    )
    every = labelled(enforce="baseline", audit="restricted", warn="restricted")
    assert decision.warn_of_exemption(OPEN, "n", every)[0].endswith(
        "(enforce=baseline:latest, audit=restricted:latest, warn=restricted:latest) will be ignored"
    )
    assert decision.warn_of_exemption(OPEN, "n", labelled(enforce="privileged")) == ()

"""What the labels of a namespace ask for.

https://kubernetes.io/docs/concepts/security/pod-security-admission/#pod-security-admission-labels-for-namespaces
"""

from __future__ import annotations

import pytest

from apiserver.core.pod_security.policy import PREFIX, LevelVersion, Policy, policy_of


def labelled(**said: str) -> dict[str, str]:
    """Return labels of a namespace; `enforce_version` is `pod-security.kubernetes.io/enforce-version`."""
    return {f"{PREFIX}{name.replace('_', '-')}": value for name, value in said.items()}


def shown(policy: Policy) -> tuple[str, str, str]:
    """Return what is enforced, audited and warned of."""
    return str(policy.enforce), str(policy.audit), str(policy.warn)


P, B, R = "privileged:latest", "baseline:latest", "restricted:latest"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, (P, P, P)),
        ({"enforce": "privileged"}, (P, P, P)),
        ({"enforce": "baseline"}, (B, P, B)),
        ({"enforce": "restricted", "enforce_version": "v1.24"}, ("restricted:v1.24", P, "restricted:v1.24")),
        ({"enforce": "restricted", "enforce_version": "v1.24", "warn_version": "v1.30"}, ("restricted:v1.24", P, "restricted:v1.30")),
        ({"enforce": "restricted", "warn": "privileged"}, (R, P, P)),
        ({"enforce": "baseline", "warn": "restricted", "warn_version": "v1.0"}, (B, P, "restricted:v1.0")),
        ({"audit": "restricted", "audit_version": "latest"}, (P, R, P)),
        ({"enforce_version": "v1.9"}, ("privileged:v1.9", P, P)),
        ({"warn": "baseline", "enforce_version": "v1.9"}, ("privileged:v1.9", P, B)),
    ],
)  # fmt: skip
def test_labels_name_a_level_and_a_version_for_each_mode(said: dict[str, str], expected: tuple[str, ...]):
    """What is enforced is warned of in workloads, too, where nothing else is said."""
    policy, wrong = policy_of(labelled(**said))
    assert (shown(policy), wrong) == (expected, ())


def test_other_labels_ask_for_nothing():
    """Not even those that look like it."""
    policy, wrong = policy_of({"app": "web", f"{PREFIX}exempt": "yes", "enforce": "restricted"})
    assert (policy, wrong) == (Policy(), ())


def test_what_a_namespace_does_not_say_is_as_the_cluster_has_it():
    """Each mode, and each of level and version, for itself."""
    defaults, _ = policy_of(labelled(enforce="baseline", audit="restricted", audit_version="v1.20"))
    assert shown(policy_of({}, defaults)[0]) == (B, "restricted:v1.20", B)
    assert shown(policy_of(labelled(audit="baseline"), defaults)[0]) == (B, "baseline:v1.20", B)
    assert shown(policy_of(labelled(enforce="restricted"), defaults)[0])[2] == R


LEVELS = "must be one of privileged, baseline, restricted"
VERSIONS = 'must be "latest" or "v1.x"'


@pytest.mark.parametrize(
    ("said", "expected", "told"),
    [
        ({"enforce": "Baseline"}, (R, P, R), [("enforce", "Baseline", LEVELS)]),
        ({"enforce": ""}, (R, P, R), [("enforce", "", LEVELS)]),
        ({"audit": "strict", "warn": "strict"}, (P, P, P), [("audit", "strict", LEVELS), ("warn", "strict", LEVELS)]),
        ({"warn": "baseline", "warn_version": "1.20"}, (P, P, B), [("warn-version", "1.20", VERSIONS)]),
        ({"enforce": "nil", "enforce_version": "v2.0"}, (R, P, R), [("enforce", "nil", LEVELS), ("enforce-version", "v2.0", VERSIONS)]),
        *(({"enforce_version": text}, (P, P, P), [("enforce-version", text, VERSIONS)]) for text in ("", "v1.", "v1.01", "v1.1.1", "v1.-1", "v1.²", "v1.1\n", "LATEST")),
    ],
)  # fmt: skip
def test_a_label_that_is_wrong_is_named_and_is_read_as_the_safe_or_the_harmless(
    said: dict[str, str], expected: tuple[str, ...], told: list[tuple[str, str, str]]
):
    """A level to enforce that is none is restricted, others are privileged; a version is the latest."""
    policy, wrong = policy_of(labelled(**said))
    assert shown(policy) == expected
    assert [(cause.field, cause.reason) for cause in wrong] == [
        (f"metadata.labels[{PREFIX}{label}]", "FieldValueInvalid") for label, _, _ in told
    ]
    for cause, (_, value, why) in zip(wrong, told, strict=True):
        assert cause.message.startswith('Invalid value: "')
        assert cause.message.endswith(f'": {why}')
        assert value.strip() in cause.message


def test_versions_go_far_beyond_what_there_is():
    """Who asks for a version of the future gets its name back."""
    policy, wrong = policy_of(labelled(enforce="baseline", enforce_version="v1.10000"))
    assert (policy.enforce, wrong) == (LevelVersion(policy.enforce.level, 10_000), ())

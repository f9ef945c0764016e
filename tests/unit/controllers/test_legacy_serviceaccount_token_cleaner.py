"""The cleaner of legacy tokens: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/."""

import pytest

from controllers.core.actions import Delete, Documents, Facts, Part, Patch, Refusal
from controllers.legacy_serviceaccount_token_cleaner.plan import LOOK_S, Seen, plan
from controllers.legacy_serviceaccount_token_cleaner.references import secrets_of
from machinery.model.k8s.core_v1 import Secret
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.resources import CONFIG_MAPS, PODS, SERVICE_ACCOUNTS
from machinery.model.tokens import (
    ACCOUNT_NAME,
    ACCOUNT_UID,
    INVALID_SINCE,
    LAST_USED,
    LEGACY_TYPE,
    TRACKED_SINCE,
    TRACKING,
)
from tests.support.controllers import at, moment

DAY_S = 24 * 3600.0  # the tests' now is 2026-01-01T01:00:00Z
PERIOD_S = 10 * DAY_S
ACCOUNT = Part("", "v1", SERVICE_ACCOUNTS.plural, "default", "robot")
CONFIG = Part("", "v1", CONFIG_MAPS.plural, "kube-system", TRACKING)
IN_NAMESPACE = Documents(PODS, "default")
GENERATED = {"metadata": {"name": "robot", "uid": "u1"}, "secrets": [{"name": "mine"}]}
MOUNTING = {"spec": {"volumes": [{"secret": {"secretName": "mine"}}]}}


def secret(labels=None, *, age_s=20 * DAY_S, deleted=None, notes=None):
    meta = ObjectMeta(
        name="mine",
        namespace="default",
        uid="secret-uid",
        resourceVersion="7",
        annotations=notes if notes is not None else {ACCOUNT_NAME: "robot", ACCOUNT_UID: "u1"},
        labels=labels or {},
        creationTimestamp=at(-age_s),
        deletionTimestamp=deleted,
    )
    return Seen(Secret(metadata=meta, type=LEGACY_TYPE), PERIOD_S)


def facts(account=GENERATED, since="2025-01-01", pods=()):
    missing = Refusal("NotFound", "not found")
    config = {"data": {TRACKED_SINCE: since}} if since is not None else missing
    answers = {ACCOUNT: missing if account is None else account, CONFIG: config}
    return Facts(documents={IN_NAMESPACE: pods}, answers=answers)


def test_an_unused_token_is_marked_then_deleted():
    """First with today's date, at the revision that was read; a period after the mark it goes."""
    [mark] = plan(secret(), moment(), facts()).actions
    assert isinstance(mark, Patch)
    assert mark.patch == {
        "metadata": {
            "labels": {INVALID_SINCE: "2026-01-01"},
            "uid": "secret-uid",
            "resourceVersion": "7",
        }
    }
    waits = plan(secret({INVALID_SINCE: "2025-12-30"}), moment(), facts())
    assert (waits.actions, waits.requeue_after_s) == ((), PERIOD_S - DAY_S - 3600)
    [end] = plan(secret({INVALID_SINCE: "2025-12-30"}), moment(waits.requeue_after_s), facts()).actions
    assert isinstance(end, Delete)
    assert (end.uid, end.resource_version) == ("secret-uid", "7")


def test_a_mark_that_is_no_date_is_written_anew():
    """Nobody knows when it was made."""
    [mark] = plan(secret({INVALID_SINCE: "soon"}), moment(), facts()).actions
    assert mark.patch["metadata"]["labels"] == {INVALID_SINCE: "2026-01-01"}


def test_a_token_stays_as_long_as_it_is_new_or_was_used():
    """A day counts to its end, also for one that is used though it is marked."""
    new = plan(secret(age_s=DAY_S), moment())
    assert (new.actions, new.needs, new.requeue_after_s) == ((), (), PERIOD_S - DAY_S)
    marked = {INVALID_SINCE: "2020-01-01", LAST_USED: "2025-12-31"}
    for labels in (marked, {LAST_USED: "2025-12-31"}):
        used = plan(secret(labels), moment())
        assert (used.actions, used.needs, used.requeue_after_s) == ((), (), PERIOD_S - 3600)
    assert plan(secret({LAST_USED: "2025-12-21"}), moment()).needs == (ACCOUNT, CONFIG)


@pytest.mark.parametrize(
    "seen",
    [
        secret({LAST_USED: "21.12.2025"}),
        secret({LAST_USED: ""}),
        secret(deleted=at(-1)),
        secret(notes={}),
    ],
)
def test_what_cannot_be_judged_stays(seen):
    """Nothing is asked for it."""
    made = plan(seen, moment())
    assert (made.actions, made.needs, made.requeue_after_s) == ((), (), None)


@pytest.mark.parametrize(
    "known",
    [
        facts(account=None),
        facts(account={**GENERATED, "secrets": [{"name": "another"}]}),
        facts(account={"metadata": {"name": "robot", "uid": "u1"}}),
        facts(account={**GENERATED, "metadata": {"name": "robot", "uid": "u2"}}),
        facts(pods=(MOUNTING,)),
        facts(since=None),
        facts(since="yesterday"),
    ],
)
def test_what_somebody_made_or_a_pod_has_stays(known):
    """So does everything while nobody notes uses; it is looked at again in a day."""
    made = plan(secret(), moment(), known)
    assert (made.actions, made.requeue_after_s) == ((), LOOK_S)


def test_nothing_is_unused_before_uses_are_noted_for_a_period():
    """The first day does not count."""
    made = plan(secret(), moment(), facts(since="2025-12-31"))
    assert (made.actions, made.requeue_after_s) == ((), PERIOD_S - 3600)


def test_pods_are_asked_for_last():
    """They are many."""
    assert plan(secret(), moment(), Facts(answers=facts().answers)).needs == (IN_NAMESPACE,)


def test_a_pod_names_its_secrets_in_many_ways():
    """Of its volumes, its containers and its images."""
    pod = {
        "spec": {
            "imagePullSecrets": [{"name": "pull"}],
            "initContainers": [{"envFrom": [{"secretRef": {"name": "all"}}]}],
            "containers": [
                {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "one", "key": "a"}}}]}
            ],
            "volumes": [
                {"name": "v", "secret": {"secretName": "volume"}},
                {"name": "p", "projected": {"sources": [{"secret": {"name": "part"}}]}},
                {"name": "c", "csi": {"nodePublishSecretRef": {"name": "driver"}}},
                {"name": "n", "configMap": {"name": "none"}},
            ],
        }
    }
    assert secrets_of(pod) == {"pull", "all", "one", "volume", "part", "driver"}
    assert secrets_of({}) == frozenset()

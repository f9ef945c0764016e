"""When claims of devices are made, freed and deleted."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.core.actions import Create, Delete, Facts, Lookup, Patch, Plan
from controllers.core.moment import Moment
from controllers.resource_claim.claim_plan import IDLE_S, plan_claim
from controllers.resource_claim.pod_plan import base_name, plan_pod
from controllers.resource_claim.seen import SeenClaim, SeenPod
from machinery.model.device_claims import CLAIM_FINALIZER, POD_CLAIM_NAME, user_of_claim
from machinery.model.k8s.core_v1 import Pod, PodResourceClaimStatus
from machinery.model.k8s.resource_v1 import AllocationResult, ResourceClaim
from machinery.model.resources import PODS, RESOURCE_CLAIMS
from tests.support.builders import changed, meta
from tests.support.controllers import CREATED, events, moment, owner, writes
from tests.support.device_claims import claim, pod, template

NAMED = [PodResourceClaimStatus(name="own", resourceClaimName="web-own-x")]
TEMPLATES = {"card": template("card", labels={"a": "b"}, annotations={"c": "d"})}
LIVE = Lookup(RESOURCE_CLAIMS, "default", "web-own-x")


def web(**fields: Any) -> Pod:
    """Return a pod with a claim of its own."""
    return changed(pod("web", own="card"), **fields)


def made(name: str = "web-own-x", by: Pod | None = None, **fields: Any) -> ResourceClaim:
    """Return the claim that was made for a pod."""
    notes = {POD_CLAIM_NAME: "own"}
    owners = [owner(by or web())]
    return claim(name, **{"metadata__annotations": notes, "metadata__ownerReferences": owners, **fields})


def planned(seen: SeenPod, facts: Facts | None = None) -> Plan:
    return plan_pod(seen, facts or Facts())


def test_a_claim_is_made_from_its_template():
    """It goes with the pod, and says which of the pod's claims it is."""
    (made_,) = writes(planned(SeenPod(web(), {}, {}, TEMPLATES)))
    assert isinstance(made_, Create)
    new = made_.object
    assert (new.metadata.generateName, new.metadata.name) == ("web-own-", "")
    assert new.metadata.ownerReferences == [owner(web())]
    assert new.metadata.labels == {"a": "b"}
    assert new.metadata.annotations == {"c": "d", POD_CLAIM_NAME: "own"}
    assert new.spec == TEMPLATES["card"].spec.spec  # type: ignore[attr-defined]  # a claim has one
    assert made_.on_failure is not None
    assert made_.on_failure.message == "PodResourceClaim own: create ResourceClaim : {error}"


def test_a_template_that_is_missing_is_told_of():
    """In Kubernetes' words."""
    text = 'PodResourceClaim own: resource claim template "card": resourceclaimtemplate.resource.k8s.io "card" not found'
    assert events(planned(SeenPod(web(), {}, {}, {}))) == [("Warning", "FailedResourceClaimCreation", text)]


@pytest.mark.parametrize(
    ("pod_name", "claim_name", "base"),
    [
        ("web", "own", "web-own-"),
        ("p" * 200, "c" * 50, f"{'p' * 45}-{'c' * 11}"),
        ("p" * 51, "own", f"{'p' * 51}-own-"),
    ],
)
def test_a_long_name_is_cut_in_both_its_parts(pod_name, claim_name, base):
    """With a hyphen and five letters it is a label."""
    assert base_name(pod_name, claim_name) == base
    assert len(base) <= 57


def test_a_claim_that_was_made_is_found_again():
    """A process that dies before it has written the pod's status makes none twice."""
    (patch,) = writes(planned(SeenPod(web(), {}, {"own": made()}, TEMPLATES)))
    assert isinstance(patch, Patch)
    assert (patch.resource, patch.subresource) == (PODS, "status")
    assert patch.patch["status"] == {
        "resourceClaimStatuses": [{"name": "own", "resourceClaimName": "web-own-x"}]
    }
    assert patch.patch["metadata"] == {"uid": web().metadata.uid}


@pytest.mark.parametrize(
    ("seen", "facts", "done"),
    [
        (SeenPod(web(status__resourceClaimStatuses=NAMED), {"web-own-x": made()}, {"own": made()}, TEMPLATES), Facts(), []),
        (SeenPod(web(status__resourceClaimStatuses=NAMED), {}, {}, TEMPLATES), Facts(), [LIVE]),
        (SeenPod(web(status__resourceClaimStatuses=NAMED), {}, {}, TEMPLATES), Facts({LIVE: made().metadata}), []),
        (SeenPod(web(status__resourceClaimStatuses=NAMED), {}, {}, TEMPLATES), Facts({LIVE: None}), [Create]),
        (SeenPod(web(status__resourceClaimStatuses=NAMED), {"web-own-x": made(by=pod("other"))}, {}, TEMPLATES), Facts(), [Create]),
        (SeenPod(web(status__resourceClaimStatuses=[PodResourceClaimStatus(name="own")]), {}, {}, TEMPLATES), Facts(), []),
        (SeenPod(web(metadata__deletionTimestamp=CREATED), {}, {}, TEMPLATES), Facts(), []),
        (SeenPod(web(status__phase="Succeeded"), {}, {}, TEMPLATES), Facts(), []),
        (SeenPod(pod("web", shared="shared"), {}, {}, {}), Facts(), []),
    ],
    ids=["there", "not-seen", "there-live", "deleted", "of-another", "not-needed", "pod-goes", "pod-ended", "of-a-user"],
)  # fmt: skip
def test_only_what_is_missing_is_made(seen, facts, done):
    """A claim that the cache does not show is asked for first."""
    plan = planned(seen, facts)
    assert [*plan.needs, *map(type, writes(plan))] == done


def allocated(*users: Pod, **fields: Any) -> ResourceClaim:
    """Return a claim with devices that some pods use."""
    reserved = [user_of_claim(each.metadata) for each in users]
    status = {"status__allocation": AllocationResult(), "status__reservedFor": reserved}
    return claim("shared", **{"metadata__finalizers": [CLAIM_FINALIZER], **status, **fields})


def test_a_pod_that_was_given_a_node_by_somebody_else_uses_its_claim():
    """Nobody else would reserve it."""
    on_node = pod("web", shared="shared", node="node-1")
    (patch,) = writes(planned(SeenPod(on_node, {"shared": allocated(pod("a"))}, {}, {})))
    assert isinstance(patch, Patch)
    assert [each["name"] for each in patch.patch["status"]["reservedFor"]] == ["a", "web"]
    assert not writes(planned(SeenPod(on_node, {"shared": allocated(on_node)}, {}, {})))
    assert not writes(planned(SeenPod(changed(on_node, spec__nodeName=""), {"shared": allocated()}, {}, {})))


A, B = pod("a"), pod("b")
ENDED = pod("a", phase="Failed")
USERS = "status__reservedFor"


@pytest.mark.parametrize(
    ("seen", "facts", "status"),
    [
        (SeenClaim(allocated(A, B), {"a": A, "b": B}, None), Facts(), None),
        (SeenClaim(allocated(A, B), {"a": ENDED, "b": B}, None), Facts(), {"reservedFor": ["b"]}),
        (SeenClaim(allocated(A), {"a": ENDED}, None), Facts(), {"reservedFor": None, "allocation": None}),
        (SeenClaim(allocated(A), {"a": changed(A, metadata__uid="new")}, None), Facts(), {"reservedFor": None, "allocation": None}),
        (SeenClaim(allocated(A), {"a": changed(A, metadata__deletionTimestamp=CREATED)}, None), Facts(), {"reservedFor": None, "allocation": None}),
        (SeenClaim(allocated(A), {}, None), Facts({Lookup(PODS, "default", "a"): None}), {"reservedFor": None, "allocation": None}),
        (SeenClaim(allocated(A), {}, None), Facts({Lookup(PODS, "default", "a"): A.metadata}), None),
        (SeenClaim(allocated(A, metadata__finalizers=[]), {"a": ENDED}, None), Facts(), {"reservedFor": None}),
        (SeenClaim(allocated(metadata__deletionTimestamp=CREATED), {}, None), Facts(), {"reservedFor": None, "allocation": None}),
        (SeenClaim(allocated(), {}, None), Facts(), None),
    ],
)  # fmt: skip
def test_who_has_ended_uses_nothing(seen, facts, status):
    """With its last user a claim loses its devices; one that nobody has used so far keeps them."""
    found = [
        write.patch["status"]
        for write in writes(plan_claim(seen, moment(), facts))
        if isinstance(write, Patch)
    ]
    shown = [
        each
        | ({"reservedFor": [user["name"] for user in each["reservedFor"]]} if each["reservedFor"] else {})
        for each in found
    ]
    assert shown == ([status] if status else [])


def test_what_is_not_known_to_be_gone_is_asked_for():
    """The cache may lag behind the scheduler."""
    assert plan_claim(SeenClaim(allocated(A), {}, None), moment(), Facts()).needs == (
        Lookup(PODS, "default", "a"),
    )


IDLE = claim("shared", metadata__finalizers=[CLAIM_FINALIZER])


@pytest.mark.parametrize(
    ("seen", "now_s", "done"),
    [
        (SeenClaim(IDLE, {}, 10.0), 10.0 + IDLE_S, "freed"),
        (SeenClaim(IDLE, {}, 10.0), 9.0 + IDLE_S, "waits"),
        (SeenClaim(changed(IDLE, metadata__deletionTimestamp=CREATED), {}, 10.0), 10.0, "freed"),
        (SeenClaim(made(), {"web": web()}, None), 0.0, "stays"),
        (SeenClaim(made(), {"web": web(status__phase="Succeeded")}, None), 0.0, "deleted"),
        (SeenClaim(made(), {"web": web(metadata__uid="new")}, None), 0.0, "deleted"),
        (SeenClaim(made(metadata__deletionTimestamp=CREATED), {"web": web(status__phase="Succeeded")}, None), 0.0, "stays"),
        (SeenClaim(made(), {}, None), 0.0, "stays"),
        (SeenClaim(claim("shared"), {}, None), 0.0, "stays"),
    ],
)  # fmt: skip
def test_a_claim_without_users_goes_with_its_pod(seen, now_s, done):
    """The finalizer goes at once when the claim is deleted, else when nobody is about to allocate it."""
    plan = plan_claim(seen, Moment(0.0, monotonic_s=now_s), Facts())
    if done == "waits":
        assert plan.requeue_after_s == 1.0
        return
    kinds = {"freed": [Patch], "deleted": [Delete], "stays": []}
    assert [type(each) for each in plan.actions] == kinds[done]
    for each in plan.actions:
        assert not isinstance(each, Patch) or each.patch["metadata"]["finalizers"] == []


def test_what_others_use_a_claim_for_is_theirs():
    """Kubernetes knows of pods only."""
    users = [changed(user_of_claim(meta("x")), apiGroup="example.com", resource="things")]
    seen = SeenClaim(allocated(status__reservedFor=users), {}, None)
    assert plan_claim(seen, moment(), Facts()) == Plan()

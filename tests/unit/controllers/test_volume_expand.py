"""What becomes of a claim that asks for more than it has."""

from __future__ import annotations

import pytest

from controllers.core.actions import Patch
from controllers.volume_expand.plan import Seen, is_to_grow, plan
from machinery.model.k8s.core_v1 import PersistentVolumeClaimCondition
from machinery.model.storage import NODE_FOLDERS, PROVISIONED_BY
from tests.support.builders import changed
from tests.support.claims import bound, claim, volume
from tests.support.controllers import events, moment, writes

GROWING = bound(claim(size="3Gi"), "pv")
FOLDER = {"annotations": {PROVISIONED_BY: NODE_FOLDERS}}


@pytest.mark.parametrize(
    ("one", "is_so"),
    [(GROWING, True), (bound(claim(), "pv"), False), (claim(size="3Gi"), False), (bound(claim(size="1Mi"), "pv"), False)],
)  # fmt: skip
def test_a_claim_is_to_grow_when_it_asks_for_more_than_it_has(one, is_so):
    """And is bound."""
    assert is_to_grow(one) is is_so


def test_the_volume_grows_before_the_claim_says_so():
    """A folder has no limit: both say more, and that is all."""
    small = volume(of=GROWING, phase="Bound", metadata=FOLDER)
    first = plan(Seen(GROWING, small), moment())
    assert [write.patch["spec"] for write in writes(first) if isinstance(write, Patch)] == [
        {"capacity": {"storage": "3Gi"}}
    ]
    assert events(first) == [("Normal", "Resizing", "External resizer is resizing volume pv")]
    large = changed(small, spec__capacity={"storage": "3Gi"})
    second = plan(Seen(GROWING, large), moment())
    (write,) = writes(second)
    assert isinstance(write, Patch)
    assert write.subresource == "status"
    assert write.patch["status"] == {"capacity": {"storage": "3Gi"}, "allocatedResources": {"storage": "3Gi"}}
    assert events(second) == [("Normal", "VolumeResizeSuccessful", "Resize volume succeeded")]


def test_what_was_said_of_the_resize_goes_when_it_is_done():
    """Other conditions stay."""
    conditions = [PersistentVolumeClaimCondition(type=each, status="True") for each in ("Resizing", "Mine")]
    waiting = changed(
        GROWING, status__conditions=conditions, status__allocatedResourceStatuses={"storage": "x"}
    )
    grown = volume(size="3Gi", of=GROWING, metadata=FOLDER)
    (write,) = writes(plan(Seen(waiting, grown), moment()))
    assert isinstance(write, Patch)
    assert write.patch["status"]["conditions"] == [{"type": "Mine", "status": "True"}]
    assert write.patch["status"]["allocatedResourceStatuses"] is None


def test_the_volume_of_another_provisioner_is_its_to_grow():
    """An event says whom the claim waits for."""
    made = plan(Seen(GROWING, volume(of=GROWING, phase="Bound")), moment())
    assert events(made) == [
        ("Normal", "ExternalExpanding", "waiting for an external controller to expand this PVC")
    ]
    assert not writes(made)
    assert not plan(Seen(GROWING, volume(of=claim("other"), metadata=FOLDER)), moment()).actions

"""What the binder plans for a claim and for a volume."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.core.actions import Facts, Lookup, Patch, Plan
from controllers.persistentvolume_binder.claims import SeenClaim
from controllers.persistentvolume_binder.plan import plan
from controllers.persistentvolume_binder.volumes import SeenVolume
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from machinery.model.storage import (
    BETA_STORAGE_PROVISIONER,
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    PROVISIONED_BY,
    SELECTED_NODE,
    STORAGE_PROVISIONER,
)
from tests.support.builders import changed
from tests.support.claims import bound, claim, reference, storage_class, volume
from tests.support.controllers import CREATED, events, moment, of_type

OURS = {BOUND_BY_CONTROLLER: "yes"}
BOTH = {BIND_COMPLETED: "yes", **OURS}
MADE = {PROVISIONED_BY: "example.com/disks"}
CALLED = dict.fromkeys((BETA_STORAGE_PROVISIONER, STORAGE_PROVISIONER), "example.com/disks")
EXTERNAL = (
    "Waiting for a volume to be created either by the external provisioner 'example.com/disks' or manually by the "
    "system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly "
    "registered."
)
UID = claim().metadata.uid
OTHER = claim("other")


def essence(made: Plan) -> list[tuple[str, dict[str, Any]]]:
    """Return what each write of a plan changes, and in what; all of them are at the revision that was seen."""
    found = []
    for write in of_type(made, Patch):
        change = {key: dict(value) for key, value in write.patch.items()}
        meta = change.pop("metadata")
        assert meta.pop("resourceVersion") == "1"
        assert meta.pop("uid")
        what = write.name + (f"/{write.subresource}" if write.subresource else "")
        found.append((what, change | ({"metadata": meta} if meta else {})))
    return found


def refers(uid: str = UID, **more: Any) -> tuple[str, dict[str, Any]]:
    """Return the write that has the volume refer to the claim."""
    whom = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "default", "name": "data"}
    return "pv", {"spec": {"claimRef": {**whom, "uid": uid, "resourceVersion": "1"}}, **more}


def names(*, by_us: bool = True) -> tuple[str, dict[str, Any]]:
    """Return the write that has the claim name the volume."""
    if by_us:
        return "data", {"spec": {"volumeName": "pv"}, "metadata": {"annotations": BOTH}}
    return "data", {"metadata": {"annotations": {BIND_COMPLETED: "yes"}}}


BY_US = {"metadata": {"annotations": OURS}}
STATUSES = [
    ("pv/status", {"status": {"phase": "Bound", "message": None, "reason": None}}),
    (
        "data/status",
        {"status": {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}},
    ),
]
LOST = [("data/status", {"status": {"phase": "Lost", "accessModes": None, "capacity": None}})]
WAITING = "waiting for first consumer to be created before binding"
NAMED = claim(volumeName="pv")
NO_MATCH = 'Cannot bind to requested volume "pv": '


@pytest.mark.parametrize(
    ("seen", "written", "said"),
    [
        (SeenClaim(claim(), volumes=[volume()]), [refers(**BY_US), names()], []),
        (SeenClaim(claim(), volumes=[volume(of=claim(), uid="")]), [refers(), names()], []),
        (SeenClaim(claim(), volumes=[volume(of=claim())]), [names()], []),
        (SeenClaim(NAMED, volume(phase="Pending")), [refers(**BY_US), names(by_us=False)], []),
        (SeenClaim(NAMED, volume(of=claim(), uid="")), [refers(), names(by_us=False)], []),
        (SeenClaim(NAMED), [], []),
        (SeenClaim(NAMED, volume(size="1Mi")), [], [("Warning", "VolumeMismatch", NO_MATCH + "requested PV is too small")]),
        (
            SeenClaim(NAMED, volume(of=OTHER)),
            [],
            [("Warning", "FailedBinding", 'volume "pv" already bound to a different claim.')],
        ),
        (
            SeenClaim(claim(phase="Lost")),
            [("data/status", {"status": {"phase": "Pending"}})],
            [("Normal", "FailedBinding", "no persistent volumes available for this claim and no storage class is set")],
        ),
        (
            SeenClaim(claim(storage_class=None), default_class="standard"),
            [("data", {"spec": {"storageClassName": "standard"}})],
            [],
        ),
        (SeenClaim(claim(storage_class=None), volumes=[volume()], default_class="x"), [refers(**BY_US), names()], []),
        (
            SeenClaim(claim(storage_class="standard"), storage_class=storage_class()),
            [],
            [("Normal", "WaitForFirstConsumer", WAITING)],
        ),
        (
            SeenClaim(claim(storage_class="standard"), storage_class=storage_class(), waiting_pods=("a", "b")),
            [],
            [("Normal", "WaitForPodScheduled", "waiting for pods a,b to be scheduled")],
        ),
        (
            SeenClaim(
                claim(storage_class="standard", metadata={"annotations": {SELECTED_NODE: "node-1"}}),
                storage_class=storage_class(),
            ),
            [("data", {"metadata": {"annotations": CALLED}})],
            [("Normal", "ExternalProvisioning", EXTERNAL)],
        ),
        (
            SeenClaim(claim(storage_class="now", metadata={"annotations": CALLED}), storage_class=storage_class(waits=False)),
            [],
            [("Normal", "ExternalProvisioning", EXTERNAL)],
        ),
        (
            SeenClaim(claim(storage_class="gone")),
            [],
            [("Warning", "ProvisioningFailed", 'storageclass.storage.k8s.io "gone" not found')],
        ),
        (
            SeenClaim(
                claim(storage_class="hand"),
                storage_class=storage_class(waits=False, provisioner="kubernetes.io/no-provisioner"),
            ),
            [],
            [("Warning", "ProvisioningFailed", "no volume plugin matched name: kubernetes.io/no-provisioner")],
        ),
        (SeenClaim(claim(metadata={"deletionTimestamp": CREATED}), volumes=[volume()]), [], []),
        (SeenClaim(bound(claim(phase="Lost"), "pv"), volume(of=claim(), phase="Bound")), [], []),
        (SeenClaim(bound(claim(), "pv"), volume()), [refers(**BY_US)], []),
        (SeenClaim(changed(bound(claim(), "pv"), status=claim().status), volume(of=claim())), STATUSES, []),
        (
            SeenClaim(bound(claim(), "")),
            LOST,
            [("Warning", "ClaimLost", "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!")],
        ),
        (
            SeenClaim(bound(claim(), "pv"), volume(of=OTHER)),
            LOST,
            [("Warning", "ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly")],
        ),
    ],
)  # fmt: skip
def test_what_becomes_of_a_claim(seen, written, said):
    """References first, the volume's before the claim's; then both statuses."""
    made = plan(seen, moment())
    assert essence(made) == written
    assert events(made) == said


def test_a_claim_that_grew_keeps_its_own_size():
    """What it has was settled when it was bound."""
    grown = changed(bound(claim(), "pv"), status__capacity={"storage": "5Gi"})
    assert not plan(SeenClaim(grown, volume(of=claim(), phase="Bound")), moment()).actions


def test_a_claim_is_lost_when_its_volume_is_not_there():
    """No cache is trusted with that."""
    seen = SeenClaim(bound(claim(), "pv"))
    question = Lookup(PERSISTENT_VOLUMES, "", "pv")
    assert plan(seen, moment()).needs == (question,)
    assert not plan(seen, moment(), Facts(objects={question: ObjectMeta()})).actions
    made = plan(seen, moment(), Facts(objects={question: None}))
    assert essence(made) == LOST
    assert [reason for _, reason, _ in events(made)] == ["ClaimLost"]
    lost = SeenClaim(changed(seen.claim, status__phase="Lost"))
    assert not plan(lost, moment()).needs


def to_phase(phase: str, message: str | None = None) -> list[tuple[str, dict[str, Any]]]:
    """Return the write that brings the volume to a phase."""
    return [("pv/status", {"status": {"phase": phase, "message": message, "reason": None}})]


NO_DELETER = 'error getting deleter volume plugin for volume "pv": no deletable volume plugin matched'
HERE = bound(claim(), "pv")
ELSEWHERE = bound(claim(), "another")
MODES = (
    'Cannot bind PersistentVolume to requested PersistentVolumeClaim "data" due to incompatible volumeMode.',
    'Cannot bind PersistentVolume "pv" to requested PersistentVolumeClaim due to incompatible volumeMode.',
)


@pytest.mark.parametrize(
    ("seen", "written", "said"),
    [
        (SeenVolume(volume(phase="Pending")), to_phase("Available"), []),
        (SeenVolume(volume()), [], []),
        (SeenVolume(volume(of=claim(), uid="", phase="Released")), to_phase("Available"), []),
        (SeenVolume(volume(of=claim()), HERE), to_phase("Bound"), []),
        (SeenVolume(volume(of=claim()), claim()), [], []),
        (
            SeenVolume(volume(of=claim(), volumeMode="Block"), claim()),
            [],
            [("Warning", "VolumeMismatch", text) for text in MODES],
        ),
        (
            SeenVolume(volume(of=claim(), metadata={"annotations": OURS}), ELSEWHERE),
            [("pv", {"metadata": {"annotations": {BOUND_BY_CONTROLLER: None}}, "spec": {"claimRef": None}})],
            [],
        ),
        (SeenVolume(volume(of=claim()), ELSEWHERE), [("pv", {"spec": {"claimRef": {"uid": None}}})], []),
        (
            SeenVolume(volume(of=claim(), policy="Delete", metadata={"annotations": MADE}), ELSEWHERE),
            to_phase("Released"),
            [],
        ),
        (SeenVolume(volume(of=claim(), phase="Released")), [], []),
        (SeenVolume(volume(of=claim(), phase="Released", policy="Delete", metadata={"annotations": MADE})), [], []),
        (
            SeenVolume(volume(of=claim(), phase="Released", policy="Delete")),
            to_phase("Failed", NO_DELETER),
            [("Warning", "VolumeFailedDelete", NO_DELETER)],
        ),
        (
            SeenVolume(volume(of=claim(), phase="Released", policy="Recycle")),
            to_phase("Failed", "No recycler plugin found for the volume!"),
            [("Warning", "VolumeFailedRecycle", "No recycler plugin found for the volume!")],
        ),
        (SeenVolume(volume(of=claim(), phase="Failed", policy="Recycle")), [], []),
    ],
)  # fmt: skip
def test_what_becomes_of_a_volume(seen, written, said):
    """Its phase; and its reference, where the claim has another volume."""
    made = plan(seen, moment())
    assert essence(made) == written
    assert events(made) == said


@pytest.mark.parametrize("shown", [None, claim(metadata={"uid": "an older or a newer one"})])
@pytest.mark.parametrize(("there", "is_released"), [(None, True), ("another", True), (UID, False)])
def test_a_volume_is_released_when_its_claim_is_not_there(shown, there, is_released):
    """The claim of that very uid; no cache is trusted with that."""
    seen = SeenVolume(volume(of=claim(), phase="Bound"), shown)
    question = Lookup(PERSISTENT_VOLUME_CLAIMS, "default", "data")
    assert plan(seen, moment()).needs == (question,)
    facts = Facts(objects={question: ObjectMeta(uid=there) if there else None})
    assert essence(plan(seen, moment(), facts)) == (to_phase("Released") if is_released else [])
    assert reference(claim()).uid == UID

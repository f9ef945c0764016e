"""The StatefulSet controller: names that stay, one pod after the other, claims, updates."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from controllers.core.actions import Create, Patch
from controllers.core.revisions import CONTROLLER_REVISIONS, HASH_LABEL, REVISION_LABEL
from controllers.core.workloads import STATEFUL_SETS
from controllers.statefulset.identity import BURST
from controllers.statefulset.rolling import max_unavailable
from controllers.statefulset.storage import CLAIMS
from machinery.model.k8s.apps_v1 import (
    StatefulSetOrdinals,
    StatefulSetPersistentVolumeClaimRetentionPolicy,
    StatefulSetUpdateStrategy,
)
from machinery.model.pods import is_terminating
from machinery.model.resources import PODS
from tests.support.builders import pod
from tests.support.controllers import events, of_type, set_ready, template
from tests.support.stateful import ROLLING, Rollout, claim_template, stateful_set, updating

ON_DELETE = StatefulSetUpdateStrategy(type="OnDelete")


def settled(replicas: int = 3, **fields: Any) -> Rollout:
    """Return a StatefulSet whose pods are all Ready."""
    rollout = Rollout(stateful_set(replicas, **fields))
    rollout.settle()
    return rollout


def updated(rollout: Rollout, image: str = "app:2", **spec: Any) -> Rollout:
    """Change the image, and let the controller act without any kubelet."""
    rollout.change(template=template(image), **spec)
    rollout.steps()
    return rollout


def ending(rollout: Rollout) -> list[str]:
    """Return the names of the pods that are deleted and have not ended."""
    return [name for name, each in rollout.pods.items() if is_terminating(each)]


def test_a_pod_has_an_identity_that_stays():
    """Its names, labels, and claims; the rest is the template's. The claim has the template's labels and the selector's."""
    base = template()
    base["spec"] |= {"volumes": [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}], "x": 1}
    owner = stateful_set(
        1, template=base, volumeClaimTemplates=[claim_template()], ordinals=StatefulSetOrdinals(start=7)
    )
    rollout = Rollout(owner)
    rollout.step()
    claim, made = of_type(rollout.plan(), Create)
    [revision] = rollout.world.list(CONTROLLER_REVISIONS)
    assert revision.metadata.labels.keys() == {"app", HASH_LABEL}
    assert made.object.metadata.name == "web-7"
    assert made.object.metadata.labels == {
        "app": "web",
        "statefulset.kubernetes.io/pod-name": "web-7",
        "apps.kubernetes.io/pod-index": "7",
        REVISION_LABEL: revision.metadata.name,
    }
    claimed = {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-7"}}
    assert made.object.spec == {
        **base["spec"],
        "hostname": "web-7",
        "subdomain": "web",
        "volumes": [claimed, {"name": "tmp", "emptyDir": {}}],
    }
    assert claim.object.metadata.labels == {"of": "data", "app": "web"}
    assert claim.object.spec == claim_template()["spec"]
    assert events(rollout.plan()) == [
        (
            "Normal",
            "SuccessfulCreate",
            "create Claim data-web-7 Pod web-7 in StatefulSet web success",
        ),
        ("Normal", "SuccessfulCreate", "create Pod web-7 in StatefulSet web successful"),
    ]
    refused = "create Pod web-7 in StatefulSet web failed error: {error}"
    assert made.on_failure.message == refused


def test_in_order_a_pod_is_made_when_all_before_it_are_available():
    """Also where a minimum of Ready seconds is asked for; the plan comes again then."""
    rollout = Rollout(stateful_set(2, minReadySeconds=10))
    rollout.steps()
    assert list(rollout.pods) == ["web-0"]
    rollout.ready()
    rollout.steps()
    assert list(rollout.pods) == ["web-0"]
    assert rollout.plan().requeue_after_s == 10
    rollout.world.now_s += 10
    rollout.steps()
    assert list(rollout.pods) == ["web-0", "web-1"]
    assert rollout.status()["availableReplicas"] == 1


def test_in_parallel_all_pods_are_made_and_unmade_at_once():
    """Whatever state the others are in."""
    rollout = Rollout(stateful_set(3, podManagementPolicy="Parallel"))
    rollout.steps()
    assert list(rollout.pods) == ["web-0", "web-1", "web-2"]
    rollout.change(replicas=1)
    rollout.steps()
    assert ending(rollout) == ["web-1", "web-2"]


@pytest.mark.parametrize(("policy", "made"), [("OrderedReady", 1), ("Parallel", BURST)])
def test_two_billion_pods_are_made_bit_by_bit(policy: str, made: int):
    """Nothing is done for each of them at once."""
    rollout = Rollout(stateful_set(2**31 - 1, podManagementPolicy=policy))
    rollout.step()
    assert len(of_type(rollout.plan(), Create)) == made


def test_it_scales_down_from_the_highest_one_by_one():
    """The next one goes when the one above it has ended."""
    rollout = settled(4)
    rollout.change(replicas=1)
    gone = []
    for _ in range(3):
        rollout.steps()
        gone += rollout.end()
    rollout.steps()
    assert (gone, list(rollout.pods)) == (["web-3", "web-2", "web-1"], ["web-0"])


def test_scaling_down_waits_for_those_that_stay():
    """But an unavailable one goes if it is the lowest unavailable of all."""
    rollout = settled(3)
    set_ready(rollout.world, rollout.pods["web-0"], ready=False)
    rollout.change(replicas=2)
    rollout.steps()
    assert ending(rollout) == []
    set_ready(rollout.world, rollout.pods["web-0"])
    set_ready(rollout.world, rollout.pods["web-2"], ready=False)
    rollout.steps()
    assert ending(rollout) == ["web-2"]


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_a_pod_that_has_ended_is_replaced(phase: str):
    """It is deleted first; the new one has its name."""
    rollout = settled(2)
    rollout.world.change(PODS, "web-1", {"status": {"phase": phase}})
    assert events(rollout.plan()) == [
        ("Normal", "SuccessfulDelete", "delete Pod web-1 in StatefulSet web successful")
    ]
    rollout.steps()
    assert ending(rollout) == ["web-1"]
    rollout.settle()
    assert rollout.status()["readyReplicas"] == 2


def test_no_pod_is_made_while_one_of_its_name_is_there():
    """Deleted or not, its own or somebody else's."""
    rollout = settled(1)
    rollout.world.mark_deleted("web-0")
    rollout.steps()
    assert ending(rollout) == ["web-0"]
    rollout.end()
    rollout.world.add(PODS, pod("web-0", "default", labels={"app": "other"}))
    before = rollout.world.revision
    rollout.step()
    assert not of_type(rollout.plan(), Create)
    assert rollout.world.revision == before + 1  # the status
    rollout.world.mark_deleted("web-0")
    rollout.settle()
    assert rollout.images == {"web-0": "app:1"}


def test_it_adopts_what_its_selector_matches_and_its_names_fit():
    """A pod without the labels of its identity gets them; one with another kind of name is left alone."""
    rollout = Rollout(stateful_set(1))
    for name in ("web-0", "other-0", "web-00", "web-x"):
        rollout.world.add(PODS, pod(name, "default", labels={"app": "web"}, phase="Running", ready=True))
    rollout.settle()
    owned = [name for name, each in rollout.pods.items() if each.metadata.ownerReferences]
    assert owned == ["web-0"]
    assert rollout.pods["web-0"].metadata.labels["statefulset.kubernetes.io/pod-name"] == "web-0"


def test_a_pod_that_is_relabelled_is_released_and_keeps_its_name():
    """Nothing takes its place while it is there."""
    rollout = settled(1)
    rollout.world.change(PODS, "web-0", {"metadata": {"labels": {"app": "other"}}})
    rollout.settle()
    assert rollout.pods["web-0"].metadata.ownerReferences == []
    assert rollout.status()["replicas"] == 0


def test_an_update_replaces_the_highest_first_and_waits_for_each():
    """The revision of now becomes the current one when all are Ready."""
    rollout = updated(settled(3))
    assert ending(rollout) == ["web-2"]
    rollout.end()
    rollout.steps()
    assert rollout.images["web-2"] == "app:2"
    assert (ending(rollout), rollout.status()["complete"]) == ([], False)
    rollout.ready()
    rollout.steps()
    assert ending(rollout) == ["web-1"]
    rollout.settle()
    assert rollout.status() == {
        "observedGeneration": 2,
        "replicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
        "currentReplicas": 3,
        "updatedReplicas": 3,
        "collisionCount": 0,
        "complete": True,
    }


@pytest.mark.parametrize("start", [0, 5])
def test_a_partition_holds_the_lower_ones_back(start: int):
    """Also those that come again in between: they get the template from before the update."""
    rollout = settled(3, strategy=updating(partition=2), ordinals=StatefulSetOrdinals(start=start))
    first, second, third = (f"web-{start + number}" for number in range(3))
    rollout.change(template=template("app:2"))
    rollout.settle()
    rollout.world.mark_deleted(first)
    rollout.settle()
    assert rollout.images == {first: "app:1", second: "app:1", third: "app:2"}
    status = rollout.status()
    assert (status["currentReplicas"], status["updatedReplicas"], status["complete"]) == (2, 1, False)
    rollout.change(updateStrategy={"rollingUpdate": {"partition": 0}})
    rollout.settle()
    assert set(rollout.images.values()) == {"app:2"}


def test_without_a_partition_those_that_the_update_has_not_reached_stay_as_they_were():
    """Whoever writes `type: RollingUpdate` and no more has no partition."""
    rollout = updated(settled(3, strategy=ROLLING))
    rollout.end()
    rollout.steps()
    rollout.world.mark_deleted("web-0")
    rollout.end()
    rollout.steps()
    assert rollout.images == {"web-0": "app:1", "web-1": "app:1", "web-2": "app:2"}


def test_on_delete_nothing_is_replaced_before_somebody_deletes_it():
    """Then it has the template of now."""
    rollout = updated(settled(2, strategy=ON_DELETE))
    assert ending(rollout) == []
    rollout.world.mark_deleted("web-0")
    rollout.settle()
    assert rollout.images == {"web-0": "app:2", "web-1": "app:1"}


@pytest.mark.parametrize(
    ("value", "replicas", "most"), [(None, 5, 1), (2, 5, 2), ("50%", 5, 2), ("10%", 5, 1), ("100%", 3, 3)]
)
def test_max_unavailable_rounds_down_to_one_at_least(value: Any, replicas: int, most: int):
    """Of the replicas."""
    assert max_unavailable(stateful_set(replicas, strategy=updating(maxUnavailable=value))) == most


def test_with_max_unavailable_so_many_are_replaced_together():
    """Those that are unavailable already count, except for those that are to be replaced anyhow."""
    rollout = updated(
        settled(5, strategy=updating(maxUnavailable=2, partition=1), podManagementPolicy="Parallel")
    )
    assert ending(rollout) == ["web-3", "web-4"]
    rollout.end()
    rollout.steps()
    set_ready(rollout.world, rollout.pods["web-1"], ready=False)
    rollout.ready("web-4")
    rollout.steps()
    assert ending(rollout) == ["web-1", "web-2"]
    rollout.settle()
    assert rollout.images == {"web-0": "app:1"} | {f"web-{number}": "app:2" for number in range(1, 5)}


def test_a_broken_update_in_order_stays_until_its_pod_is_deleted_by_hand():
    """As Kubernetes documents it: the template is set back, and the pod that never became Ready has to be deleted."""
    rollout = updated(settled(2))
    rollout.end()
    rollout.steps()
    updated(rollout, "app:1")
    assert (rollout.images, ending(rollout)) == ({"web-0": "app:1", "web-1": "app:2"}, [])
    rollout.world.mark_deleted("web-1")
    rollout.settle()
    assert (rollout.images["web-1"], rollout.status()["complete"]) == ("app:1", True)


def test_a_broken_update_in_parallel_is_taken_back():
    """The broken pod is the highest one of another template."""
    rollout = updated(settled(2, podManagementPolicy="Parallel"))
    rollout.end()
    rollout.steps()
    updated(rollout, "app:1")
    assert ending(rollout) == ["web-1"]


def test_its_history_has_a_revision_for_each_template_up_to_a_limit():
    """A rollback raises the revision that has the template; those in use stay."""
    rollout = settled(
        1, revisionHistoryLimit=1, metadata={"annotations": {"kubernetes.io/change-cause": "a"}}
    )
    for image in ("app:2", "app:3", "app:2"):
        rollout.change(template=template(image))
        rollout.settle()
    revisions = {
        each.revision: each.data["spec"]["template"]["spec"]["containers"][0]["image"]
        for each in rollout.world.list(CONTROLLER_REVISIONS)
    }
    assert revisions == {3: "app:3", 4: "app:2"}
    assert {each.metadata.annotations["kubernetes.io/change-cause"] for each in rollout.look().revisions} == {
        "a"
    }


def test_a_revision_whose_name_is_taken_counts_a_collision():
    """The next plan gives another name."""
    rollout = settled(1)
    [revision] = rollout.world.list(CONTROLLER_REVISIONS)
    somebody = {"metadata": {"ownerReferences": None, "labels": None}, "data": {"spec": None}}
    rollout.world.change(CONTROLLER_REVISIONS, revision.metadata.name, somebody)
    rollout.settle()
    assert rollout.status()["collisionCount"] == 1
    assert len(rollout.world.list(CONTROLLER_REVISIONS)) == 2


def test_one_that_is_deleted_only_counts():
    """Its pods are the garbage collector's."""
    rollout = settled(2)
    rollout.world.mark_deleted("web-1")
    rollout.end()
    leaving = {"deletionTimestamp": rollout.world.moment.text, "finalizers": ["foregroundDeletion"]}
    rollout.world.change(STATEFUL_SETS, "web", {"metadata": leaving})
    rollout.steps()
    assert list(rollout.pods) == ["web-0"]
    assert rollout.status()["replicas"] == 1


def retaining(when_deleted: str, when_scaled: str) -> Rollout:
    """Return a StatefulSet of two pods with claims, scaled down to one, whose pod has not ended."""
    policy = StatefulSetPersistentVolumeClaimRetentionPolicy(whenDeleted=when_deleted, whenScaled=when_scaled)
    rollout = settled(2, volumeClaimTemplates=[claim_template()], persistentVolumeClaimRetentionPolicy=policy)
    rollout.change(replicas=1)
    rollout.steps()
    assert ending(rollout) == ["web-1"]
    return rollout


def owners_of(rollout: Rollout, claim: str) -> list[str]:
    """Return the kinds of a claim's owners."""
    return [ref.kind for ref in rollout.claims[claim].metadata.ownerReferences]


@pytest.mark.parametrize(
    ("when_deleted", "when_scaled", "staying", "condemned"),
    [
        ("Retain", "Retain", [], []),
        ("Delete", "Retain", ["StatefulSet"], ["StatefulSet"]),
        ("Retain", "Delete", [], ["Pod"]),
        ("Delete", "Delete", ["StatefulSet"], ["Pod"]),
    ],
)
def test_claims_are_owned_by_what_they_go_with(
    when_deleted: str, when_scaled: str, staying: list[str], condemned: list[str]
):
    """Before the pod goes; a changed policy is followed."""
    rollout = retaining(when_deleted, when_scaled)
    assert owners_of(rollout, "data-web-0") == staying
    assert owners_of(rollout, "data-web-1") == condemned
    rollout.change(
        persistentVolumeClaimRetentionPolicy={"whenDeleted": "Retain", "whenScaled": "Retain"}, replicas=2
    )
    rollout.steps()
    assert owners_of(rollout, "data-web-0") == []


def test_a_pod_waits_for_the_claim_that_goes_with_the_one_before_it():
    """The new pod gets a new claim."""
    rollout = retaining("Retain", "Delete")
    rollout.change(replicas=2)
    rollout.end()
    rollout.steps()
    assert list(rollout.pods) == ["web-0"]
    del rollout.world.objects[str(CLAIMS), "default", "data-web-1"]
    rollout.settle()
    assert list(rollout.pods) == ["web-0", "web-1"]
    assert owners_of(rollout, "data-web-1") == []


def test_a_claim_that_is_being_deleted_is_waited_for():
    """It says so."""
    rollout = settled(1, volumeClaimTemplates=[claim_template()])
    rollout.world.mark_deleted("web-0")
    rollout.end()
    leaving = {"deletionTimestamp": rollout.world.moment.text, "finalizers": ["kubernetes.io/pvc-protection"]}
    rollout.world.change(CLAIMS, "data-web-0", {"metadata": leaving})
    rollout.step()
    said = "create Pod web-0 in StatefulSet web failed error: pvc data-web-0 is being deleted"
    assert events(rollout.plan()) == [("Warning", "FailedCreate", said)]
    assert rollout.pods == {}


def test_a_claim_of_another_controller_is_left_to_it():
    """Ours are taken off it, and an event says why."""
    rollout = settled(
        1,
        volumeClaimTemplates=[claim_template()],
        persistentVolumeClaimRetentionPolicy=StatefulSetPersistentVolumeClaimRetentionPolicy(
            whenDeleted="Delete", whenScaled="Retain"
        ),
    )
    ours = msgspec.to_builtins(rollout.claims["data-web-0"].metadata.ownerReferences)
    other = {"apiVersion": "x/v1", "kind": "Other", "name": "o", "uid": "other", "controller": True}
    rollout.world.change(CLAIMS, "data-web-0", {"metadata": {"ownerReferences": [*ours, other]}})
    [patch] = of_type(rollout.plan(), Patch)
    assert patch.on_success.reason == "ConflictingController"
    rollout.steps()
    assert owners_of(rollout, "data-web-0") == ["Other"]


def test_claims_that_are_missing_while_a_pod_is_pending_are_made_again():
    """Somebody deleted one before the pod came to a node."""
    rollout = Rollout(stateful_set(1, volumeClaimTemplates=[claim_template()]))
    rollout.steps()
    del rollout.world.objects[str(CLAIMS), "default", "data-web-0"]
    rollout.steps()
    assert list(rollout.claims) == ["data-web-0"]

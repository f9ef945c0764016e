"""The Deployment controller: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/."""

import pytest
from msgspec.structs import replace

from controllers.core.actions import Create, Delete, Facts, Failure, Patch
from controllers.core.workloads import DEPLOYMENTS, REPLICA_SETS, ReplicaSet
from controllers.deployment.plan import Seen, plan
from controllers.deployment.rollout import limits
from controllers.deployment.template import HASH_LABEL
from machinery.model.conditions import find
from machinery.model.k8s.apps_v1 import DeploymentStrategy
from machinery.model.k8s.meta_v1 import LabelSelector
from tests.support.builders import changed
from tests.support.controllers import (
    SmallWorld,
    deployment,
    events,
    moment,
    of_type,
    pods_of,
    rolling,
    set_ready,
    status_of,
    template,
)
from tests.support.rollout import Rollout


@pytest.fixture
def rollout() -> Rollout:
    return Rollout(SmallWorld())


def rolled_out(rollout: Rollout, **fields) -> Rollout:
    rollout.world.add(DEPLOYMENTS, deployment(**fields))
    rollout.settle()
    return rollout


def set_image(rollout: Rollout, image: str) -> None:
    rollout.world.change(DEPLOYMENTS, "web", {"spec": {"template": template(image)}})


def by_image(rollout: Rollout) -> list[ReplicaSet]:
    return sorted(rollout.replica_sets, key=lambda rs: rs.spec.template["spec"]["containers"][0]["image"])


def progressing(rollout: Rollout):
    return find(rollout.deployment.status.conditions, "Progressing")


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (10, "25%", "25%", (3, 2)),
        (4, "25%", "25%", (1, 1)),
        (1, "25%", "25%", (1, 0)),
        (3, 0, "10%", (0, 1)),
        (3, 0, 0, (0, 1)),
        (3, 2, 5, (2, 5)),
        (0, "25%", "25%", (0, 1)),
    ],
)
def test_surge_rounds_up_and_unavailable_down_and_one_of_them_is_above_zero(
    replicas, surge, unavailable, expected
):
    """https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#max-unavailable."""
    assert limits(deployment(replicas, strategy=rolling(surge, unavailable))) == expected


def test_a_new_deployment_makes_its_replica_set_at_full_size(rollout):
    """Named by the hash of the template, which its pods carry as a label, at revision 1."""
    made = plan(Seen(deployment(3), [], []), moment())
    [create] = of_type(made, Create)
    rs = create.object
    digest = rs.metadata.labels[HASH_LABEL]
    assert rs.metadata.name == f"web-{digest}"
    assert rs.spec.selector.matchLabels == {"app": "web", HASH_LABEL: digest}
    assert rs.spec.template["metadata"]["labels"] == {"app": "web", HASH_LABEL: digest}
    assert rs.spec.replicas == 3
    assert rs.metadata.annotations == {
        "deployment.kubernetes.io/revision": "1",
        "deployment.kubernetes.io/desired-replicas": "3",
        "deployment.kubernetes.io/max-replicas": "4",
    }
    assert ("Normal", "ScalingReplicaSet", f"Scaled up replica set web-{digest} from 0 to 3") in events(made)


def test_a_deployment_that_selects_everything_is_refused():
    """It warns, and takes note of the generation, once."""
    everything = changed(deployment(), spec__selector=LabelSelector())
    made = plan(Seen(everything, [], []), moment())
    assert [reason for _, reason, _ in events(made)] == ["SelectingAll"]
    assert status_of(made) == {"observedGeneration": 1}


def test_a_rollout_ends_complete(rollout):
    """All replicas are updated and available, and the conditions say so in the words kubectl waits for."""
    rolled_out(rollout, replicas=3)
    status = rollout.deployment.status
    assert (status.replicas, status.updatedReplicas, status.availableReplicas) == (3, 3, 3)
    assert progressing(rollout).reason == "NewReplicaSetAvailable"
    assert find(status.conditions, "Available").reason == "MinimumReplicasAvailable"
    assert rollout.deployment.metadata.annotations["deployment.kubernetes.io/revision"] == "1"


def test_an_update_first_grows_the_new_replica_set_and_then_shrinks_the_old_one(rollout):
    """With maxSurge 1 and maxUnavailable 0, one pod at a time, never one too few."""
    rolled_out(rollout, replicas=2, strategy=rolling(1, 0))
    set_image(rollout, "app:2")
    rollout.step()
    rollout.step()
    assert sorted(rs.spec.replicas for rs in rollout.replica_sets) == [1, 2]
    assert (rollout.active, rollout.ready) == (3, 2)
    rollout.make_ready()
    rollout.step()
    rollout.step()
    assert sorted(rs.spec.replicas for rs in rollout.replica_sets) == [1, 1]
    rollout.settle()
    assert {pod.spec.containers[0].image for pod in pods_of(rollout.world)} == {"app:2"}


def test_pods_that_a_replica_set_has_yet_to_delete_are_not_spent_twice(rollout):
    """Its status still counts them as available; a second cut on that count would leave too few."""
    rolled_out(rollout, replicas=3, strategy=rolling(1, 1))
    set_image(rollout, "app:2")
    for _ in range(3):
        rollout.step_deployment()
    old, new = by_image(rollout)
    assert (old.spec.replicas, old.status.availableReplicas) == (2, 3)
    available = {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    rollout.world.change(REPLICA_SETS, new.metadata.name, {"status": available})
    rollout.step_deployment()
    assert [rs.spec.replicas for rs in by_image(rollout)] == [1, 2]


def test_an_undo_uses_the_old_replica_set_again_with_a_new_revision(rollout):
    """Going back is a rollout like any other: revision 3 is what revision 1 was, and the history remembers."""
    rolled_out(rollout, replicas=2)
    first = rollout.replica_sets[0].metadata.name
    for image in ("app:2", "app:1"):
        set_image(rollout, image)
        rollout.settle()
    back = next(rs for rs in rollout.replica_sets if rs.metadata.name == first)
    assert len(rollout.replica_sets) == 2
    assert back.spec.replicas == 2
    assert back.metadata.annotations["deployment.kubernetes.io/revision"] == "3"
    assert back.metadata.annotations["deployment.kubernetes.io/revision-history"] == "1"
    assert rollout.deployment.metadata.annotations["deployment.kubernetes.io/revision"] == "3"


def test_the_change_cause_goes_to_the_newest_replica_set(rollout):
    """Kubectl rollout history reads it there; kubectl's own last-applied configuration stays where it is."""
    notes = {"kubernetes.io/change-cause": "first", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    rolled_out(rollout, metadata={"annotations": notes})
    annotations = rollout.replica_sets[0].metadata.annotations
    assert annotations["kubernetes.io/change-cause"] == "first"
    assert "kubectl.kubernetes.io/last-applied-configuration" not in annotations


def test_old_revisions_beyond_the_limit_go(rollout):
    """The oldest first, and only those without pods."""
    rolled_out(rollout, replicas=1, revisionHistoryLimit=1)
    for image in ("app:2", "app:3", "app:4"):
        set_image(rollout, image)
        rollout.settle()
    kept = [rs.metadata.annotations["deployment.kubernetes.io/revision"] for rs in rollout.replica_sets]
    assert sorted(kept) == ["3", "4"]


def test_a_paused_deployment_does_not_roll_on_but_scales(rollout):
    """Nothing of a new template is made until it is resumed."""
    rolled_out(rollout, replicas=2)
    rollout.world.change(DEPLOYMENTS, "web", {"spec": {"paused": True}})
    set_image(rollout, "app:2")
    rollout.settle()
    assert len(rollout.replica_sets) == 1
    assert progressing(rollout).reason == "DeploymentPaused"
    rollout.world.change(DEPLOYMENTS, "web", {"spec": {"replicas": 4}})
    rollout.settle()
    assert [rs.spec.replicas for rs in rollout.replica_sets] == [4]
    rollout.world.change(DEPLOYMENTS, "web", {"spec": {"paused": None}})
    rollout.settle()
    assert {pod.spec.containers[0].image for pod in pods_of(rollout.world)} == {"app:2"}


def test_scaling_in_the_middle_of_a_rollout_shares_the_difference(rollout):
    """https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#proportional-scaling."""
    rolled_out(rollout, replicas=10, strategy=rolling(3, 2))
    set_image(rollout, "app:2")
    for _ in range(3):
        rollout.step()
    assert sorted(rs.spec.replicas for rs in rollout.replica_sets) == [5, 8]
    rollout.world.change(DEPLOYMENTS, "web", {"spec": {"replicas": 15}})
    rollout.step()
    assert sorted(rs.spec.replicas for rs in rollout.replica_sets) == [7, 11]


def test_shrinking_in_the_middle_of_a_rollout_shares_the_difference(rollout):
    """The larger one does not bear it alone."""
    rolled_out(rollout, replicas=10, strategy=rolling(3, 2))
    set_image(rollout, "app:2")
    for _ in range(3):
        rollout.step()
    assert [rs.spec.replicas for rs in by_image(rollout)] == [8, 5]
    rollout.world.change(DEPLOYMENTS, "web", {"spec": {"replicas": 5}})
    rollout.step()
    assert [rs.spec.replicas for rs in by_image(rollout)] == [5, 3]


def test_recreate_waits_for_the_last_old_pod_to_end(rollout):
    """Nothing new is made while an old one is left."""
    rolled_out(rollout, replicas=2, strategy=DeploymentStrategy(type="Recreate"))
    set_image(rollout, "app:2")
    for pod in pods_of(rollout.world):
        rollout.world.change_finalizers(pod.metadata.name, ["test/hold"])
    for _ in range(5):
        rollout.step()
    assert len(pods_of(rollout.world)) == 2
    assert len(rollout.replica_sets) == 1
    for pod in pods_of(rollout.world):
        rollout.world.change_finalizers(pod.metadata.name, None)
    rollout.settle()
    assert {pod.spec.containers[0].image for pod in pods_of(rollout.world)} == {"app:2"}


def test_a_rollout_without_progress_times_out_at_its_deadline(rollout):
    """The condition turns False, and the plan says beforehand when to look."""
    world = rollout.world
    world.add(DEPLOYMENTS, deployment(2, progressDeadlineSeconds=60))
    for _ in range(4):
        rollout.step()
    waiting = plan(Seen(rollout.deployment, rollout.replica_sets, pods_of(world)), world.moment)
    assert waiting.requeue_after_s == pytest.approx(61)
    world.now_s += 62
    rollout.step()
    assert (progressing(rollout).status, progressing(rollout).reason) == ("False", "ProgressDeadlineExceeded")
    rollout.settle()
    assert progressing(rollout).reason == "NewReplicaSetAvailable"


def test_progress_renews_the_deadline(rollout):
    """Each pod that becomes available counts."""
    world = rollout.world
    world.add(DEPLOYMENTS, deployment(2, progressDeadlineSeconds=60))
    for _ in range(4):
        rollout.step()
    world.now_s += 50
    rollout.make_ready(1)
    for _ in range(3):
        rollout.step()
    world.now_s += 50
    rollout.step()
    assert progressing(rollout).reason == "ReplicaSetUpdated"


def test_a_pod_lost_after_the_rollout_is_no_lack_of_progress(rollout):
    """A finished rollout stays finished, however long the replacement takes."""
    world = rolled_out(rollout, replicas=2).world
    set_ready(world, pods_of(world)[0], ready=False)
    for _ in range(3):
        rollout.step()
    world.now_s += 10_000
    rollout.step()
    assert progressing(rollout).reason == "NewReplicaSetAvailable"
    assert find(rollout.deployment.status.conditions, "Available").status == "False"


def test_another_templates_replica_set_with_the_same_name_is_avoided(rollout):
    """The collision count changes the hash; nothing of the other one is touched."""
    digest_holder = of_type(plan(Seen(deployment(), [], []), moment()), Create)[0].object
    stranger = changed(digest_holder, metadata__ownerReferences=[], spec__template=template("other:1"))
    stranger = changed(stranger, metadata__labels={"other": "app"})
    made = plan(Seen(deployment(), [stranger], []), moment())
    assert status_of(made)["collisionCount"] == 1
    assert not of_type(made, Create)
    collided = changed(deployment(), status__collisionCount=1)
    [create] = of_type(plan(Seen(collided, [stranger], []), moment()), Create)
    assert create.object.metadata.name != stranger.metadata.name


def test_a_failed_creation_is_told_and_tried_again():
    """The reason of the server stands in the Progressing condition."""
    facts = Facts(failure=Failure("Forbidden", "exceeded quota"))
    made = plan(Seen(deployment(), [], []), moment(), facts)
    [condition] = [item for item in status_of(made)["conditions"] if item["type"] == "Progressing"]
    assert condition["reason"] == "ReplicaSetCreateError"
    assert "exceeded quota" in condition["message"]
    [create] = of_type(made, Create)
    told = create.on_failure
    assert (told.type, told.reason) == ("Warning", "ReplicaSetCreateError")
    assert told.message == f'Failed to create new replica set "{create.object.metadata.name}": {{error}}'


ROLLBACK_TO = "deprecated.deployment.rollback.to"


@pytest.mark.parametrize(
    ("wanted", "reason", "message", "image"),
    [
        ("1", "DeploymentRollback", 'Rolled back deployment "web" to revision 1', "app:1"),
        ("0", "DeploymentRollback", 'Rolled back deployment "web" to revision 2', "app:2"),
        (
            "3",
            "DeploymentRollbackTemplateUnchanged",
            'The rollback revision contains the same template as current deployment "web"',
            "app:3",
        ),
        (
            "7",
            "DeploymentRollbackRevisionNotFound",
            "Unable to find the revision to rollback to.",
            "app:3",
        ),
    ],
)
def test_an_annotation_asks_for_a_rollback(rollout, wanted, reason, message, image):
    """To a revision, or with 0 to the one before the last; the annotation goes, and those of the revision come back."""
    rolled_out(rollout, metadata={"annotations": {"cause": "first"}})
    for number in (2, 3):
        set_image(rollout, f"app:{number}")
        rollout.world.change(DEPLOYMENTS, "web", {"metadata": {"annotations": {"cause": f"app:{number}"}}})
        rollout.settle()
    rollout.world.change(DEPLOYMENTS, "web", {"metadata": {"annotations": {ROLLBACK_TO: wanted}}})
    told = events(plan(Seen(rollout.deployment, rollout.replica_sets, []), moment()))
    assert [(each[1], each[2]) for each in told] == [(reason, message)]
    rollout.settle()
    found = rollout.deployment
    assert found.spec.template == template(image)
    assert ROLLBACK_TO not in found.metadata.annotations
    assert found.metadata.annotations["cause"] == ("first" if image == "app:1" else image)


def test_a_rollback_without_an_earlier_revision_is_given_up(rollout):
    """And says so."""
    rolled_out(rollout)
    rollout.world.change(DEPLOYMENTS, "web", {"metadata": {"annotations": {ROLLBACK_TO: "0"}}})
    told = events(plan(Seen(rollout.deployment, rollout.replica_sets, []), moment()))
    assert told == [("Warning", "DeploymentRollbackRevisionNotFound", "Unable to find last revision.")]


def test_a_replica_failure_is_passed_on(rollout):
    """What keeps a ReplicaSet from making pods stands on the Deployment, too."""
    rolled_out(rollout, replicas=1)
    [rs] = rollout.replica_sets
    failing = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "no"}
    failing["lastTransitionTime"] = "2026-01-01T00:30:00Z"
    rollout.world.change(REPLICA_SETS, rs.metadata.name, {"status": {"conditions": [failing]}})
    rollout.step_deployment()
    passed_on = find(rollout.deployment.status.conditions, "ReplicaFailure")
    assert passed_on.message == "no"
    assert passed_on.lastUpdateTime == passed_on.lastTransitionTime == "2026-01-01T00:30:00Z"


def test_a_deployment_that_is_being_deleted_only_tells_its_status(rollout):
    """Its ReplicaSets are the garbage collector's."""
    rolled_out(rollout, replicas=1)
    going = changed(rollout.deployment, metadata__deletionTimestamp="2026-01-01T00:00:00Z")
    going = changed(going, spec__template=template("app:2"))
    made = plan(Seen(going, rollout.replica_sets, []), moment())
    assert not of_type(made, Create)
    assert not of_type(made, Delete)
    assert [write.subresource for write in of_type(made, Patch)] == ["status"]


def test_min_ready_seconds_go_on_to_the_replica_set(rollout):
    """Without a rollout: it is no part of the template."""
    rolled_out(rollout, replicas=1)
    rollout.world.change(DEPLOYMENTS, "web", {"spec": {"minReadySeconds": 7}})
    rollout.settle()
    assert [rs.spec.minReadySeconds for rs in rollout.replica_sets] == [7]


def test_a_plan_for_what_is_as_it_should_be_is_empty(rollout):
    """Level-based: a second look writes nothing."""
    rolled_out(rollout, replicas=3)
    made = plan(Seen(rollout.deployment, rollout.replica_sets, pods_of(rollout.world)), rollout.world.moment)
    assert made.actions == ()


def test_an_orphan_replica_set_is_adopted_after_a_live_look():
    """The owner is asked for first; one that is gone adopts nothing."""
    owner = deployment()
    [create] = of_type(plan(Seen(owner, [], []), moment()), Create)
    orphan = replace(create.object, metadata=replace(create.object.metadata, ownerReferences=[], uid="u"))
    asked = plan(Seen(owner, [orphan], []), moment())
    [need] = asked.needs
    assert not plan(Seen(owner, [orphan], []), moment(), Facts(objects={need: None})).needs
    made = plan(Seen(owner, [orphan], []), moment(), Facts(objects={need: owner.metadata}))
    [patch] = of_type(made, Patch)
    assert patch.patch["metadata"]["ownerReferences"][0]["uid"] == owner.metadata.uid

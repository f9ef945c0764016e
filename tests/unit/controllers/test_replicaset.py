"""The ReplicaSet controller: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/."""

import msgspec
import pytest

from controllers.core.actions import Create, Delete, Facts, Failure, Patch, SlowStart
from controllers.core.replicas.plan import BURST, Seen, plan, siblings_of
from controllers.core.workloads import REPLICATION_CONTROLLERS
from machinery.model.k8s.core_v1 import ContainerStatus, PodCondition
from tests.support import builders
from tests.support.builders import changed
from tests.support.controllers import (
    at,
    deployment,
    events,
    moment,
    of_type,
    owner,
    replica_set,
    replication_controller,
    status_of,
    template,
)

NO_SIBLINGS = frozenset({"uid-default-web-1"})
GONE = "2026-01-01T00:59:00Z"


def pod_of(rs, name="pod-1", **fields):
    fields = {"labels": {"app": "web"}, "owners": [owner(rs)], "phase": "Running", "node": "node-1"} | fields
    return builders.pod(name, "default", **fields)


def plan_for(rs, *pods, facts=None, siblings=NO_SIBLINGS, later_s=0.0):
    return plan(Seen(rs, pods, siblings), moment(later_s), facts or Facts())


def as_seen(rs, status):
    return msgspec.convert(msgspec.to_builtins(rs) | {"status": {"replicas": 0} | status}, type(rs))


def test_missing_pods_are_made_from_the_template_in_a_slow_start():
    """The spec is the template's, field for field; the owner is the ReplicaSet."""
    fields = {"containers": [{"name": "main", "image": "app:1", "future": {"field": 1}}]}
    rs = replica_set(replicas=3, template=template() | {"spec": fields})
    made = plan_for(rs)
    [start] = [action for action in made.actions if isinstance(action, SlowStart)]
    assert len(start.writes) == 3
    pod = start.writes[0].object
    assert pod.spec == fields
    assert pod.metadata.generateName == "web-1-"
    assert pod.metadata.labels == {"app": "web"}
    assert pod.metadata.ownerReferences == [owner(rs)]


def test_a_burst_is_bounded():
    """No more than 500 at once."""
    assert len(of_type(plan_for(replica_set(replicas=1200)), Create)) == BURST == 500


def test_surplus_pods_go_those_first_whose_loss_costs_least():
    """Unassigned before pending before unready."""
    rs = replica_set(replicas=1)
    ready = pod_of(rs, "ready", ready=True)
    unready = pod_of(rs, "unready", ready=False)
    pending = pod_of(rs, "pending", phase="Pending")
    unassigned = pod_of(rs, "unassigned", phase="Pending", node="")
    deleted = of_type(plan_for(rs, ready, unready, pending, unassigned), Delete)
    assert [write.name for write in deleted] == ["unassigned", "pending", "unready"]
    assert deleted[0].uid == unassigned.metadata.uid


def test_the_deletion_cost_decides_between_equals():
    """https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#pod-deletion-cost."""
    rs = replica_set(replicas=1)
    note = "controller.kubernetes.io/pod-deletion-cost"
    dear = pod_of(rs, "a-dear", ready=True, meta_fields={"annotations": {note: "10"}})
    cheap = pod_of(rs, "b-cheap", ready=True, meta_fields={"annotations": {note: "-5"}})
    assert [write.name for write in of_type(plan_for(rs, dear, cheap), Delete)] == ["b-cheap"]


def test_restarts_decide_between_equals_those_of_sidecars_last():
    """Init containers that end do not count."""
    rs = replica_set(replicas=1)
    sidecar = builders.container("beside", restartPolicy="Always")

    def restarted(name, main=0, beside=0, init=0):
        pod = pod_of(rs, name, ready=False, initContainers=[sidecar, builders.container("init")])
        statuses = {"main": main}, {"beside": beside, "init": init}
        mains, inits = (
            [
                ContainerStatus(name=each, restartCount=count, image="", imageID="", ready=True)
                for each, count in counts.items()
            ]
            for counts in statuses
        )
        return changed(pod, status__containerStatuses=mains, status__initContainerStatuses=inits)

    def first(*pods):
        return of_type(plan_for(rs, *pods), Delete)[0].name

    assert first(restarted("a", main=1, beside=5), restarted("b", main=2)) == "b"
    assert first(restarted("a", beside=1), restarted("b", beside=2)) == "b"
    assert first(restarted("a"), restarted("b", init=9)) == "a"


def test_a_node_with_more_siblings_loses_one_first():
    """Pods of other ReplicaSets of the same Deployment count, too."""
    above = deployment()
    rs = replica_set(replicas=1, metadata={"ownerReferences": [owner(above)]})
    sibling = replica_set("web-0", metadata={"ownerReferences": [owner(above)]})
    stranger = replica_set("other")
    every = siblings_of(rs, [rs, sibling, stranger])
    assert every == {"uid-default-web-1", "uid-default-web-0"}
    lonely = pod_of(rs, "a-lonely", ready=True, node="node-2")
    crowded = pod_of(rs, "b-crowded", ready=True, node="node-1")
    beside = pod_of(sibling, "beside", ready=True, node="node-1")
    made = plan_for(rs, lonely, crowded, beside, siblings=every)
    assert [write.name for write in of_type(made, Delete)] == ["b-crowded"]


def test_ended_and_terminating_pods_do_not_count():
    """Both are replaced at once; those that terminate are told in the status."""
    rs = replica_set(replicas=2)
    ended = pod_of(rs, "ended", phase="Failed")
    going = pod_of(rs, "going", ready=True, meta_fields={"deletionTimestamp": GONE})
    made = plan_for(rs, ended, going)
    assert len(of_type(made, Create)) == 2
    assert status_of(made)["terminatingReplicas"] == 1


def test_a_pod_of_nobody_is_adopted_after_a_live_look_and_counts_then():
    """Nothing is made while it is adopted: it may be enough."""
    rs = replica_set(replicas=1)
    orphan = pod_of(rs, owners=[])
    [need] = plan_for(rs, orphan).needs
    made = plan_for(rs, orphan, facts=Facts(objects={need: rs.metadata}))
    [patch] = [write for write in of_type(made, Patch) if not write.subresource]
    assert patch.patch["metadata"]["ownerReferences"][0]["uid"] == rs.metadata.uid
    assert patch.patch["metadata"]["resourceVersion"] == "1"
    assert not of_type(made, Create)


@pytest.mark.parametrize("live", [None, changed(replica_set(), metadata__uid="another").metadata])
def test_an_owner_that_is_gone_adopts_nothing(live):
    """A cache that lags would otherwise bring orphans back."""
    rs = replica_set(replicas=1)
    orphan = pod_of(rs, owners=[])
    [need] = plan_for(rs, orphan).needs
    made = plan_for(rs, orphan, facts=Facts(objects={need: live}))
    assert not [write for write in of_type(made, Patch) if not write.subresource]


def test_a_pod_that_is_not_selected_any_more_is_released_and_replaced():
    """It goes on, without an owner."""
    rs = replica_set(replicas=1)
    made = plan_for(rs, pod_of(rs, labels={"app": "debug"}))
    [patch] = [write for write in of_type(made, Patch) if not write.subresource]
    assert patch.patch["metadata"]["ownerReferences"] == []
    later = plan_for(rs, pod_of(rs, labels={"app": "debug"}, owners=[]))
    assert len(of_type(later, Create)) == 1


def test_a_pod_of_another_owner_is_left_alone():
    """Whatever its labels are."""
    rs = replica_set(replicas=1)
    made = plan_for(rs, pod_of(replica_set("other")))
    assert [write.resource.plural for write in of_type(made, Create)] == ["pods"]
    assert not [write for write in of_type(made, Patch) if not write.subresource]


def test_the_status_counts_ready_and_available():
    """Available is Ready for minReadySeconds; the plan says when the next one will be."""
    rs = replica_set(replicas=2, minReadySeconds=30)
    old = pod_of(
        rs, "old", conditions=[PodCondition(type="Ready", status="True", lastTransitionTime=at(-60))]
    )
    new = pod_of(
        rs, "new", conditions=[PodCondition(type="Ready", status="True", lastTransitionTime=at(-10))]
    )
    made = plan_for(rs, old, new)
    status = status_of(made)
    assert (status["replicas"], status["readyReplicas"], status["availableReplicas"]) == (2, 2, 1)
    assert made.requeue_after_s == pytest.approx(20)


def test_a_refusal_becomes_a_condition_that_goes_when_it_works():
    """Its reason says whether making or deleting failed."""
    rs = replica_set(replicas=2)
    told = status_of(plan_for(rs, facts=Facts(failure=Failure("Forbidden", "quota"))))["conditions"]
    assert [(item["type"], item["reason"], item["message"]) for item in told] == [
        ("ReplicaFailure", "FailedCreate", "quota")
    ]
    failing = as_seen(rs, {"conditions": told})
    assert status_of(plan_for(failing))["conditions"] is None


def test_one_that_is_being_deleted_makes_and_deletes_nothing():
    """Its pods are the garbage collector's."""
    rs = replica_set(replicas=3, metadata={"deletionTimestamp": GONE, "finalizers": ["foregroundDeletion"]})
    made = plan_for(rs)
    assert not of_type(made, Create)


def test_a_second_look_writes_nothing():
    """Level-based."""
    rs = replica_set(replicas=1)
    pod = pod_of(rs, ready=True)
    status = status_of(plan_for(rs, pod))
    assert plan_for(as_seen(rs, status), pod).actions == ()


def test_a_replication_controller_is_one_of_another_kind():
    """It adopts, makes, releases and counts as a ReplicaSet does; its status does not tell of pods that terminate."""
    rc = replication_controller(replicas=2)

    def planned(*pods, facts=None):
        return plan(
            Seen(rc, pods, frozenset({rc.metadata.uid}), REPLICATION_CONTROLLERS), moment(), facts or Facts()
        )

    ready = pod_of(rc, "ready", ready=True)
    going = pod_of(rc, "going", meta_fields={"deletionTimestamp": GONE})
    made = planned(ready, going)
    assert [write.object.metadata.ownerReferences for write in of_type(made, Create)] == [[owner(rc)]]
    assert [patch.resource for patch in of_type(made, Patch)] == [REPLICATION_CONTROLLERS]
    assert status_of(made) == {
        "replicas": 1,
        "readyReplicas": 1,
        "availableReplicas": 1,
        "fullyLabeledReplicas": 1,
        "observedGeneration": 1,
    }
    [need] = planned(pod_of(rc, owners=[])).needs
    assert need.resource is REPLICATION_CONTROLLERS


def test_events_are_in_the_words_that_users_know():
    """The executor fills in the names."""
    rs = replica_set(replicas=1)
    assert events(plan_for(rs)) == [("Normal", "SuccessfulCreate", "Created pod: {name}")]
    surplus = plan_for(changed(rs, spec__replicas=0), pod_of(rs))
    assert events(surplus) == [("Normal", "SuccessfulDelete", "Deleted pod: {name}")]

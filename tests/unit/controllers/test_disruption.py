"""PodDisruptionBudgets: https://kubernetes.io/docs/tasks/run-application/configure-pdb/."""

import msgspec
import pytest

from controllers.core.actions import Documents, Facts, Lookup, Patch
from controllers.core.caches import Caches
from controllers.core.controller import Settings
from controllers.core.printed_selectors import printed
from controllers.core.workloads import DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS, StatefulSet, StatefulSetSpec
from controllers.disruption.controller import Reader
from controllers.disruption.plan import STALE_S, Budget, Target, plan
from controllers.disruption.scales import Scale
from machinery.model.k8s.core_v1 import PodCondition
from machinery.model.k8s.meta_v1 import LabelSelector, LabelSelectorRequirement
from machinery.model.profile import intervals
from machinery.model.requests import EventType
from machinery.model.resources import POD_DISRUPTION_BUDGETS, PODS
from machinery.model.store import Change
from tests.support import builders
from tests.support.budgets import KINDS, budget, controlled_by, counts, plan_for, pods
from tests.support.builders import changed
from tests.support.controllers import at, deployment, events, moment, of_type, owner, replica_set, status_of


def seen(made, members, scale=None, **fields):
    return Budget(
        made, members, {"uid-rs": Scale("uid-rs", len(members) if scale is None else scale)}, KINDS, **fields
    )


@pytest.mark.parametrize(
    ("spec", "of", "ready", "scale", "expected"),
    [
        ({"minAvailable": 2}, 3, 3, None, (3, 2, 3, 1)),
        ({"minAvailable": 2}, 3, 2, None, (3, 2, 2, 0)),
        ({"minAvailable": 2}, 3, 0, None, (3, 2, 0, 0)),
        ({"minAvailable": 0}, 3, 3, None, (3, 0, 3, 3)),
        ({"minAvailable": 5}, 3, 3, None, (3, 5, 3, 0)),
        ({"minAvailable": 1}, 0, 0, None, (0, 1, 0, 0)),
        ({"minAvailable": "50%"}, 3, 3, None, (3, 2, 3, 1)),
        ({"minAvailable": "50%"}, 7, 7, None, (7, 4, 7, 3)),
        ({"minAvailable": "50%"}, 3, 3, 10, (10, 5, 3, 0)),
        ({"minAvailable": "0%"}, 3, 3, None, (3, 0, 3, 3)),
        ({"minAvailable": "100%"}, 3, 3, None, (3, 3, 3, 0)),
        ({"maxUnavailable": 1}, 3, 3, None, (3, 2, 3, 1)),
        ({"maxUnavailable": 1}, 3, 3, 5, (5, 4, 3, 0)),
        ({"maxUnavailable": 5}, 3, 3, None, (3, 0, 3, 3)),
        ({"maxUnavailable": "30%"}, 7, 7, None, (7, 4, 7, 3)),
        ({"maxUnavailable": "1%"}, 3, 3, None, (3, 2, 3, 1)),
        ({"maxUnavailable": 0}, 3, 3, None, (3, 3, 3, 0)),
        ({}, 3, 3, None, (0, 0, 3, 0)),
    ],
)
def test_what_is_counted(spec, of, ready, scale, expected):
    """Numbers as they are, shares of what controls the pods, rounded up; expected, desired, healthy, allowed."""
    assert counts(plan_for(seen(budget(**spec), pods(of, ready), scale))) == expected


def test_a_status_says_of_which_generation_it_is_and_why():
    """The condition has no words; a second plan finds nothing to do."""
    made = plan_for(seen(budget(minAvailable=3, generation=4), pods(3)))
    status = status_of(made)
    [condition] = status["conditions"]
    assert (status["observedGeneration"], condition["observedGeneration"]) == (4, 4)
    assert (condition["type"], condition["status"], condition["reason"], condition["message"]) == (
        "DisruptionAllowed",
        "False",
        "InsufficientPods",
        "",
    )
    after = msgspec.convert(status, type(budget().status))
    assert (
        plan_for(
            seen(changed(budget(minAvailable=3, generation=4), status=after), pods(3)), later_s=9
        ).actions
        == ()
    )


def test_an_evicted_pod_does_not_count_until_it_was_to_be_gone():
    """For two minutes; then somebody is told that it was not deleted."""
    noted = {"web-0": at(0), "gone": at(0), "web-1": at(0)}
    members = pods(3)
    members[1] = changed(members[1], metadata__deletionTimestamp=at(5))
    one = seen(budget(minAvailable=1, status={"disruptedPods": noted}), members)
    made = plan_for(one, later_s=100)
    assert counts(made)[2:] == (1, 0)
    assert status_of(made)["disruptedPods"] == {"gone": None, "web-1": None}
    assert made.requeue_after_s == pytest.approx(20)
    late = plan_for(one, later_s=121)
    assert counts(late)[2:] == (2, 1)
    assert events(late) == [
        ("Warning", "NotDeleted", "Pod was expected by PDB default/b to be deleted but it wasn't")
    ]


def test_a_deployments_scale_counts_once():
    """Two ReplicaSets of a rollout are one controller."""
    members = [*pods(2), *pods(2, controller=controlled_by("uid-old"))]
    scales = dict.fromkeys(("uid-rs", "uid-old"), Scale("uid-web", 3))
    assert counts(plan_for(Budget(budget(maxUnavailable=1), members, scales, KINDS))) == (3, 2, 4, 2)


def asked(scale, meta):
    question = Documents(REPLICA_SETS, "default", "web", "scale")
    found = () if scale is None else ({"metadata": {"uid": scale[0]}, "spec": {"replicas": scale[1]}},)
    return Facts(
        documents={question: found},
        objects={Lookup(REPLICA_SETS, "default", "web"): builders.meta("web", uid=meta) if meta else None},
    )


def test_what_the_caches_do_not_have_is_asked_for_its_scale():
    """Whatever kind it is."""
    one = Budget(budget(maxUnavailable=1), pods(3), {}, KINDS)
    assert plan_for(one).needs == (
        Documents(REPLICA_SETS, "default", "web", "scale"),
        Lookup(REPLICA_SETS, "default", "web"),
    )
    assert counts(plan_for(one, asked(("uid-rs", 5), "uid-rs"))) == (5, 4, 3, 0)
    assert (
        counts(plan_for(Budget(budget(minAvailable=1), pods(3), {}, KINDS)))[0] == 3
    )  # a number asks nobody


UNKNOWN = controlled_by("uid-x", "Shop", "example.com/v1")


@pytest.mark.parametrize(
    ("members", "facts", "why"),
    [
        (pods(1), asked(None, ""), 'found no controllers for pod "web-0"'),
        (pods(1), asked(("other", 3), "other"), 'found no controllers for pod "web-0"'),
        (pods(1), asked(None, "uid-rs"), "replicasets.apps does not implement the scale subresource"),
        (pods(1, controller=UNKNOWN), None, 'no matches for kind "Shop" in version "example.com/v1"'),
    ],
)
def test_where_the_scale_cannot_be_found_nothing_is_allowed(members, facts, why):
    """Said once, in an event and in the condition; the rest of the status stays."""
    before = budget(
        maxUnavailable=1, status={"disruptionsAllowed": 2, "currentHealthy": 3, "observedGeneration": 1}
    )
    made = plan_for(Budget(before, members, {}, KINDS), facts)
    text = f"Failed to calculate the number of expected pods: {why}"
    assert events(made) == [("Warning", "CalculateExpectedPodCountFailed", text)]
    status = status_of(made)
    assert (status["disruptionsAllowed"], status.keys()) == (0, {"disruptionsAllowed", "conditions"})
    [condition] = status["conditions"]
    assert (condition["status"], condition["reason"], condition["message"]) == ("False", "SyncFailed", why)
    after = changed(
        before, status=msgspec.convert(msgspec.to_builtins(before.status) | status, type(before.status))
    )
    assert plan_for(Budget(after, members, {}, KINDS), facts).actions == ()


def test_pods_without_a_controller_are_said_to_be_a_problem():
    """They are healthy and not expected; with a number there is no problem."""
    alone = builders.pod("alone", labels={"app": "web"}, ready=True)
    made = plan_for(seen(budget(maxUnavailable=1), [*pods(2), alone], 2))
    assert counts(made) == (2, 1, 3, 2)
    [(kind, reason, message)] = events(made)
    assert (kind, reason) == ("Warning", "UnmanagedPods")
    assert "(selector: &LabelSelector{MatchLabels:map[string]string{app: web,},MatchExpressions:" in message
    assert events(plan_for(seen(budget(minAvailable=1), [alone]))) == []


def test_a_budget_without_pods_says_so():
    """As Kubernetes does each time that it looks."""
    assert events(plan_for(seen(budget(minAvailable=1), []))) == [
        ("Normal", "NoPods", "No matching pods found")
    ]


def test_a_pod_of_two_budgets_is_told():
    """It can never be evicted."""
    members = pods(1)
    assert events(plan_for(seen(budget(minAvailable=1), members, shared=members))) == [
        (
            "Warning",
            "MultiplePodDisruptionBudgets",
            'Pod "default"/"web-0" matches multiple PodDisruptionBudgets.  Chose "b" arbitrarily.',
        )
    ]


def test_selectors_are_written_as_kubernetes_does():
    """Labels in order, and expressions."""
    expression = LabelSelectorRequirement(key="tier", operator="In", values=["a", "b"])
    selector = LabelSelector(matchLabels={"b": "2", "a": "1"}, matchExpressions=[expression])
    assert printed(selector) == (
        "&LabelSelector{MatchLabels:map[string]string{a: 1,b: 2,},MatchExpressions:"
        "[]LabelSelectorRequirement{LabelSelectorRequirement{Key:tier,Operator:In,Values:[a b],},},}"
    )
    assert printed(None) == "nil"


def target(reason="EvictionByEvictionAPI", status="True", **fields):
    condition = PodCondition(
        type="DisruptionTarget", status=status, reason=reason, message="said", lastTransitionTime=at(0)
    )
    return builders.pod("web", ready=True, conditions=[condition], **fields)


def test_a_pod_that_nobody_disrupts_after_all_is_no_target():
    """After two minutes."""
    early = plan(Target(target()), moment(STALE_S - 1))
    assert (early.actions, early.requeue_after_s) == ((), 1)
    [patch] = of_type(plan(Target(target()), moment(STALE_S)), Patch)
    assert patch.subresource == "status"
    assert patch.patch["status"]["conditions"][0] == {
        "type": "DisruptionTarget",
        "status": "False",
        "lastTransitionTime": at(STALE_S),
    }


@pytest.mark.parametrize(
    "pod",
    [
        target("TerminationByKubelet"),
        target(status="False"),
        target(phase="Failed"),
        target(meta_fields={"deletionTimestamp": at(0)}),
    ],
)
def test_a_pod_that_ends_or_that_its_kubelet_ends_stays_a_target(pod):
    """However long it takes."""
    made = plan(Target(pod), moment(1e6))
    assert (made.actions, made.requeue_after_s) == ((), None)


def test_the_scales_of_workloads_are_read_from_the_caches():
    """A Deployment's for its ReplicaSet; of another object of the same name, nothing is known."""
    reader = Reader(caches := Caches(), Settings(intervals("default"), ()))
    web = deployment(4)
    stores = {
        str(resource): caches.ask(resource).store for resource in (DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS)
    }
    stores["deployments.apps"].put(web)
    owned = {"uid": "uid-rs", "ownerReferences": [owner(web)]}
    stores["replicasets.apps"].put(replica_set("web", 9, metadata=owned))
    sets = StatefulSet(
        metadata=builders.meta("web", "default", uid="uid-db"), spec=StatefulSetSpec(replicas=2)
    )
    stores["statefulsets.apps"].put(sets)
    controllers = [controlled_by("uid-rs"), controlled_by("uid-db", "StatefulSet"), controlled_by("other")]
    for number, each in enumerate(controllers):
        made = builders.pod(f"web-{number}", labels={"app": "web"}, owners=[each])
        caches.ask(PODS, fields=()).store.put(made)
    caches.ask(POD_DISRUPTION_BUDGETS).store.put(budget(maxUnavailable=1))
    found = reader.look(("default", "b"), moment())
    assert found.scales == {"uid-rs": Scale(web.metadata.uid, 4), "uid-db": Scale("uid-db", 2)}
    assert len(found.pods) == 3


def test_a_pod_of_two_budgets_is_noted_once():
    """By the one of them that is found first."""
    reader = Reader(caches := Caches(), Settings(intervals("default"), ()))
    budgets = caches.ask(POD_DISRUPTION_BUDGETS).store
    budgets.put(budget(minAvailable=1))
    [made] = pods(1)
    assert list(reader.concerned(Change(EventType.ADDED, None, made))) == [("default", "b")]
    budgets.put(changed(budget(minAvailable=1), metadata__name="c"))
    assert set(reader.concerned(Change(EventType.MODIFIED, made, made))) == {
        ("default", "b"),
        ("default", "c"),
    }
    first, second = (reader.look(("default", name), moment()) for name in "bc")
    assert [*first.shared, *second.shared] == [made]
    list(reader.concerned(Change(EventType.MODIFIED, made, made)))
    assert not reader.look(("default", "b"), moment()).shared

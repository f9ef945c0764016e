"""Garbage collection: https://kubernetes.io/docs/concepts/architecture/garbage-collection/."""

import pytest
from msgspec.structs import replace

from controllers.core.actions import NO_FACTS, Delete, Facts, Patch, RecordEvent
from controllers.core.kinds import KINDS
from controllers.core.workloads import DEPLOYMENTS, REPLICA_SETS
from controllers.garbage_collector.graph import FOREGROUND, ORPHAN, Graph, Item
from controllers.garbage_collector.plan import plan
from machinery.model.k8s.meta_v1 import OwnerReference
from machinery.model.resources import NODES, PODS
from tests.support.builders import meta
from tests.support.controllers import CREATED, moment, of_type


def item(resource, name, *owners, namespace="default", finalizers=(), going=False):
    return Item(
        resource,
        meta(
            name,
            namespace if resource.namespaced else "",
            ownerReferences=list(owners),
            finalizers=list(finalizers),
            deletionTimestamp=CREATED if going else None,
        ),
    )


def ref(owner, *, block=True):
    return OwnerReference(
        apiVersion=owner.resource.api_version,
        kind=owner.resource.kind,
        name=owner.meta.name,
        uid=owner.meta.uid,
        blockOwnerDeletion=block,
    )


def graph_of(*items):
    graph = Graph(KINDS)
    for one in items:
        graph.put(one)
    return graph


def plan_for(subject, graph, facts=NO_FACTS):
    return plan(graph.see(subject), moment(), facts)


def collected(subject, graph, *live):
    """Plan, with live answers from what is said to be there."""
    first = plan_for(subject, graph)
    if not first.needs:
        return first
    there = {(str(one.resource), one.meta.namespace, one.meta.name): one.meta for one in live}
    answers = {need: there.get((str(need.resource), need.namespace, need.name)) for need in first.needs}
    return plan_for(subject, graph, Facts(objects=answers))


RS = item(REPLICA_SETS, "web-1")
POD = item(PODS, "web-1-a", ref(RS))


def test_an_owner_in_the_cache_needs_no_question():
    """The usual case costs nothing."""
    made = plan_for(POD, graph_of(RS, POD))
    assert made.actions == made.needs == ()


def test_without_its_owner_a_dependent_is_deleted():
    """In the background, at the uid and the revision that the server has confirmed."""
    [delete] = of_type(collected(POD, graph_of(POD), POD), Delete)
    assert (delete.name, delete.uid, delete.resource_version) == ("web-1-a", POD.meta.uid, "1")
    assert delete.propagation_policy == "Background"


def test_an_owner_that_only_the_cache_does_not_know_keeps_it():
    """The apiserver is asked."""
    assert collected(POD, graph_of(POD), POD, RS).actions == ()


def test_another_owner_of_the_same_name_is_another():
    """By uid."""
    namesake = Item(REPLICA_SETS, replace(RS.meta, uid="uid-new"))
    assert len(of_type(collected(POD, graph_of(POD), POD, namesake), Delete)) == 1


@pytest.mark.parametrize("change", [{"uid": "uid-new"}, {"resourceVersion": "2"}])
def test_a_dependent_that_is_not_what_the_cache_shows_is_left_alone(change):
    """The cache will show it, and then it is looked at again."""
    live = Item(PODS, replace(POD.meta, **change))
    assert collected(POD, graph_of(POD), live).actions == ()


def test_one_owner_is_enough():
    """The reference to the one that is gone is taken out."""
    other = item(REPLICA_SETS, "web-2")
    shared = item(PODS, "shared", ref(RS), ref(other))
    [patch] = of_type(collected(shared, graph_of(shared, other), shared, other), Patch)
    assert [owner["uid"] for owner in patch.patch["metadata"]["ownerReferences"]] == [other.meta.uid]


def test_the_finalizers_of_a_dependent_say_how_it_goes_on():
    """orphan: its own dependents stay."""
    held = item(REPLICA_SETS, "held", ref(item(DEPLOYMENTS, "web")), finalizers=[ORPHAN])
    [delete] = of_type(collected(held, graph_of(held), held), Delete)
    assert delete.propagation_policy == "Orphan"


def test_orphaning_frees_the_dependents_and_then_the_owner():
    """In this order."""
    going = item(REPLICA_SETS, "web-1", finalizers=["other", ORPHAN], going=True)
    pod = item(PODS, "a", ref(going))
    freed, finished = of_type(plan_for(going, graph_of(going, pod)), Patch)
    assert (freed.name, freed.patch["metadata"]["ownerReferences"]) == ("a", [])
    assert finished.patch["metadata"]["finalizers"] == ["other"]


def test_in_the_foreground_the_owner_waits_for_those_that_block_it():
    """Those that do not are no reason to wait."""
    going = item(REPLICA_SETS, "web-1", finalizers=[FOREGROUND], going=True)
    blocking, other = item(PODS, "a", ref(going)), item(PODS, "b", ref(going, block=False))
    assert plan_for(going, graph_of(going, blocking, other)).actions == ()
    [patch] = of_type(plan_for(going, graph_of(going, other)), Patch)
    assert patch.patch["metadata"]["finalizers"] == []


def test_dependents_of_an_owner_that_waits_are_deleted():
    """Those with dependents of their own in the foreground, too."""
    going = item(DEPLOYMENTS, "web", finalizers=[FOREGROUND], going=True)
    rs = item(REPLICA_SETS, "web-1", ref(going))
    pod = item(PODS, "a", ref(rs))
    [delete] = of_type(collected(rs, graph_of(going, rs, pod), going, rs), Delete)
    assert delete.propagation_policy == "Foreground"
    [delete] = of_type(collected(rs, graph_of(going, rs), going, rs), Delete)
    assert delete.propagation_policy == "Background"


def test_a_circle_of_owners_comes_to_an_end():
    """Where each waits for the other nobody blocks any more."""
    one = item(REPLICA_SETS, "one")
    other = item(REPLICA_SETS, "other", ref(one), finalizers=[FOREGROUND], going=True)
    one = Item(
        REPLICA_SETS,
        replace(one.meta, ownerReferences=[ref(other)]),
    )
    made = collected(one, graph_of(one, other), one, other)
    [patch] = of_type(made, Patch)
    assert patch.patch["metadata"]["ownerReferences"][0]["blockOwnerDeletion"] is False
    [delete] = of_type(made, Delete)
    assert delete.propagation_policy == "Foreground"


def test_an_owner_in_another_namespace_is_none():
    """The dependent goes, and an event says why."""
    foreign = item(REPLICA_SETS, "web-1", namespace="other")
    pod = item(PODS, "a", ref(foreign))
    made = collected(pod, graph_of(pod, foreign), pod, foreign)
    assert len(of_type(made, Delete)) == 1
    [event] = [action for action in made.actions if isinstance(action, RecordEvent)]
    assert event.reason == "OwnerRefInvalidNamespace"


def test_a_cluster_scoped_object_is_never_collected_for_a_namespaced_owner():
    """There is no way to look such an owner up."""
    node = item(NODES, "node-1", ref(RS))
    made = collected(node, graph_of(node), node)
    assert not of_type(made, Delete)


def test_a_cluster_scoped_owner_of_a_namespaced_object_is_one():
    """As nodes own their leases."""
    node = item(NODES, "node-1")
    pod = item(PODS, "mirror", ref(node))
    assert plan_for(pod, graph_of(node, pod)).actions == ()
    assert len(of_type(collected(pod, graph_of(pod), pod), Delete)) == 1


def test_an_owner_of_an_unknown_kind_is_never_seen_as_gone():
    """Who cannot be asked for is not there to be missed."""
    stranger = OwnerReference(apiVersion="example.com/v1", kind="Thing", name="x", uid="u")
    pod = item(PODS, "a", stranger)
    assert collected(pod, graph_of(pod), pod).actions == ()


def test_what_is_being_deleted_is_not_deleted_again():
    """It is on its way."""
    going = item(PODS, "a", ref(RS), going=True)
    assert plan_for(going, graph_of(going)).actions == plan_for(going, graph_of(going)).needs == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "other"},
        {"kind": "Deployment"},
        {"kind": "Pod", "apiVersion": "v1"},
        {"apiVersion": "v1"},  # no such kind there: nobody can say that it is gone
    ],
)
def test_an_owner_is_looked_for_where_its_reference_says(wrong):
    """A uid that is alive under another kind or name owns nothing: who names it so is collected."""
    lost = item(PODS, "lost", replace(ref(RS), **wrong))
    made = collected(lost, graph_of(RS, lost), RS, lost)
    is_asked = wrong != {"apiVersion": "v1"}
    assert [delete.name for delete in of_type(made, Delete)] == (["lost"] if is_asked else [])


def test_another_version_of_the_kind_is_the_same_owner():
    """A reference may be older than the version that is served."""
    old = item(PODS, "old", replace(ref(RS), apiVersion="apps/v1beta2"))
    made = collected(old, graph_of(RS, old), RS, old)
    assert made.actions == ()

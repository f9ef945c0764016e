"""The deletion of namespaces."""

from controllers.core.actions import DeleteCollection, Facts, Failure, Finalize
from controllers.namespace.plan import Seen, plan
from machinery.model.k8s.core_v1 import NamespaceCondition
from machinery.model.resources import CONFIG_MAPS, PODS, SECRETS
from tests.support import builders
from tests.support.builders import changed, meta
from tests.support.controllers import CREATED, moment, of_type, status_of

KINDS = (PODS, CONFIG_MAPS, SECRETS)


def namespace(*, going=True, phase="Terminating", finalizers=("kubernetes",)):
    made = changed(builders.namespace("gone"), spec__finalizers=list(finalizers), status__phase=phase)
    return changed(made, metadata__deletionTimestamp=CREATED) if going else made


def plan_for(subject, failure=None, **contents):
    needs = plan(Seen(subject, KINDS), moment()).needs
    found = {need: tuple(contents.get(need.resource.plural, ())) for need in needs}
    return plan(Seen(subject, KINDS), moment(), Facts(collections=found, failure=failure))


def deleted(made):
    return [write.resource.plural for write in of_type(made, DeleteCollection)]


def conditions(made):
    return {item["type"]: (item["status"], item["message"]) for item in status_of(made)["conditions"]}


def as_told(subject, made):
    told = [NamespaceCondition(**item) for item in status_of(made)["conditions"]]
    return changed(subject, status__conditions=told)


def test_an_active_namespace_is_left_alone():
    """So is one that somebody else has to finish."""
    assert plan(Seen(namespace(going=False, phase="Active"), KINDS), moment()).actions == ()
    assert plan(Seen(namespace(finalizers=["other"]), KINDS), moment()).actions == ()


def test_first_it_says_terminating():
    """Then the rest follows."""
    assert status_of(plan(Seen(namespace(phase="Active"), KINDS), moment())) == {"phase": "Terminating"}


def test_every_kind_is_counted_live():
    """Before anything is decided."""
    assert {need.resource for need in plan(Seen(namespace(), KINDS), moment()).needs} == set(KINDS)


def test_pods_go_before_everything_else():
    """They may need their Secrets and ConfigMaps until they end."""
    full = {"pods": [meta("a")], "configmaps": [meta("b")], "secrets": [meta("c")]}
    made = plan_for(namespace(), **full)
    assert deleted(made) == ["pods"]
    assert made.requeue_after_s == 0
    assert deleted(plan_for(namespace(), **{**full, "pods": []})) == ["configmaps", "secrets"]


def test_what_is_asked_for_already_is_waited_for():
    """With conditions that say what is left, and what holds it."""
    held = meta("a", deletionTimestamp=CREATED, finalizers=["example.com/hold"])
    made = plan_for(namespace(), pods=[held])
    assert deleted(made) == []
    assert made.requeue_after_s > 0
    told = conditions(made)
    assert told["NamespaceContentRemaining"] == (
        "True",
        "Some resources are remaining: pods. has 1 resource instances",
    )
    assert told["NamespaceFinalizersRemaining"] == (
        "True",
        "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
    )
    assert told["NamespaceDeletionContentFailure"][0] == "False"


def test_a_deletion_that_is_refused_is_told():
    """The server's message stands in the condition."""
    made = plan_for(namespace(), failure=Failure("Forbidden", "not allowed"), pods=[meta("a")])
    status, message = conditions(made)["NamespaceDeletionContentFailure"]
    assert status == "True"
    assert "not allowed" in message


def test_an_empty_namespace_is_finalized():
    """Our finalizer goes, another one stays."""
    [finalize] = of_type(plan_for(namespace()), Finalize)
    assert finalize.object.spec.finalizers == []
    held = namespace(finalizers=["kubernetes", "other"])
    [finalize] = of_type(plan_for(as_told(held, plan_for(held))), Finalize)
    assert finalize.object.spec.finalizers == ["other"]


def test_a_namespace_that_others_hold_says_that_it_is_empty():
    """Before our finalizer goes, so that nobody looks for content that is not there any more."""
    held = namespace(finalizers=["kubernetes", "other"])
    full = as_told(held, plan_for(held, configmaps=[meta("a")]))
    made = plan_for(full)
    assert of_type(made, Finalize) == []
    assert conditions(made)["NamespaceContentRemaining"] == ("False", "All content successfully removed")


def test_what_cannot_be_seen_keeps_a_namespace():
    """What is in it of other kinds goes all the same; a version whose server is away is named, as Kubernetes does."""
    away = ("a.example.com/v1", "b.example.com/v1beta1")
    needs = plan(Seen(namespace(), KINDS, away), moment()).needs
    for left, expected in (((), []), ((meta("b"),), ["configmaps"])):
        found = {need: left if need.resource is CONFIG_MAPS else () for need in needs}
        made = plan(Seen(namespace(), KINDS, away), moment(), Facts(collections=found))
        assert deleted(made) == expected
        assert of_type(made, Finalize) == []
        said = (
            "Discovery failed for some groups, 2 failing: unable to retrieve the complete list of server APIs: "
            "a.example.com/v1: stale GroupVersion discovery: a.example.com/v1, "
            "b.example.com/v1beta1: stale GroupVersion discovery: b.example.com/v1beta1"
        )
        assert conditions(made)["NamespaceDeletionDiscoveryFailure"] == ("True", said)
    assert made.requeue_after_s is not None

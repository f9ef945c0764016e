"""Which claims and volumes may go: a claim that no pod with a node uses, a volume that is not bound."""

from __future__ import annotations

import pytest

from controllers.core.actions import NOTHING_TO_DO, Documents, Facts
from controllers.pv_protection import plan as volumes
from controllers.pvc_protection import plan as claims
from controllers.vac_protection import plan as attributes
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS
from tests.support.controllers import CREATED, moment, writes


def _meta(finalizer: str = "", deleted: str | None = CREATED) -> ObjectMeta:
    finalizers = [finalizer, "other"] if finalizer else ["other"]
    return ObjectMeta(
        name="data",
        namespace="default",
        uid="u",
        resourceVersion="7",
        finalizers=finalizers,
        deletionTimestamp=deleted,
    )


def _pod(node: str, volume: dict[str, object]) -> dict[str, object]:
    return {"metadata": {"name": "web"}, "spec": {"nodeName": node, "volumes": [{"name": "data", **volume}]}}


USED = {"persistentVolumeClaim": {"claimName": "data"}}
PROTECTED = "kubernetes.io/pvc-protection"


@pytest.mark.parametrize(
    ("pods", "goes"),
    [
        ([], True),
        ([_pod("node-1", USED)], False),
        ([_pod("", USED)], True),
        ([_pod("node-1", {"persistentVolumeClaim": {"claimName": "web-data"}})], True),
        ([_pod("node-1", {"emptyDir": {}})], True),
    ],
)
def test_a_claim_goes_when_no_pod_with_a_node_uses_it(pods, goes):
    """Who uses it is asked live; other finalizers stay."""
    seen = claims.Seen(_meta(PROTECTED))
    (question,) = claims.plan(seen, moment()).needs
    assert question == Documents(PODS, "default")
    made = writes(claims.plan(seen, moment(), Facts(documents={question: tuple(pods)})))
    assert [write.patch["metadata"]["finalizers"] for write in made] == ([["other"]] if goes else [])


def test_the_claim_of_a_pods_own_volume_is_used_by_that_pod():
    """It is named after the pod and the volume."""
    claim = ObjectMeta(
        name="web-data", namespace="default", finalizers=[PROTECTED], deletionTimestamp=CREATED
    )
    question = Documents(PODS, "default")
    facts = Facts(documents={question: (_pod("node-1", {"ephemeral": {}}),)})
    assert claims.plan(claims.Seen(claim), moment(), facts).actions == ()


@pytest.mark.parametrize(("phase", "goes"), [("Bound", False), ("Released", True), ("Available", True)])
def test_a_volume_goes_when_it_is_not_bound(phase, goes):
    """What it is now is asked live."""
    seen = volumes.Seen(_meta("kubernetes.io/pv-protection"))
    (question,) = volumes.plan(seen, moment()).needs
    facts = Facts(documents={question: ({"status": {"phase": phase}},)})
    assert bool(volumes.plan(seen, moment(), facts).actions) is goes


@pytest.mark.parametrize("planning", [claims, volumes])
def test_what_is_not_deleted_is_protected(planning):
    """At the revision that was read."""
    own = planning.plan(planning.Seen(_meta(deleted=None)), moment())
    (patch,) = writes(own)
    assert len(patch.patch["metadata"]["finalizers"]) == 2
    assert patch.patch["metadata"]["resourceVersion"] == "7"


@pytest.mark.parametrize(
    ("used", "goes"),
    [
        ({}, True),
        ({"spec": {"volumeAttributesClassName": "other"}}, True),
        ({"spec": {"volumeAttributesClassName": "data"}}, False),
        ({"status": {"currentVolumeAttributesClassName": "data"}}, False),
        ({"status": {"modifyVolumeStatus": {"targetVolumeAttributesClassName": "data"}}}, False),
    ],
)
@pytest.mark.parametrize("resource", [PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES])
def test_a_class_of_attributes_goes_when_nobody_has_it(resource, used, goes):
    """Who has it is asked live, and only where the caches know nobody."""
    meta = _meta("kubernetes.io/vac-protection")
    assert attributes.plan(attributes.Seen(meta, is_used=True), moment()) == NOTHING_TO_DO
    seen = attributes.Seen(meta, is_used=False)
    asked = attributes.plan(seen, moment()).needs
    documents = {question: (used,) if question.resource == resource else () for question in asked}
    made = writes(attributes.plan(seen, moment(), Facts(documents=documents)))
    assert [write.patch["metadata"]["finalizers"] for write in made] == ([["other"]] if goes else [])


def test_a_class_of_attributes_is_protected_from_the_start():
    """Also one that was made without the admission plugin."""
    (write,) = writes(attributes.plan(attributes.Seen(_meta(deleted=None), is_used=False), moment()))
    assert write.patch["metadata"]["finalizers"] == ["other", "kubernetes.io/vac-protection"]

"""Which claims a pod's own volumes get."""

from __future__ import annotations

import pytest

from controllers.core.actions import Create
from controllers.ephemeral_volume.plan import Seen, plan
from machinery.model.k8s.core_v1 import (
    EphemeralVolumeSource,
    PersistentVolumeClaimTemplate,
    PersistentVolumeClaimVolumeSource,
    Pod,
    Volume,
)
from machinery.model.k8s.meta_v1 import ObjectMeta
from tests.support.builders import changed, meta, pod
from tests.support.claims import claim
from tests.support.controllers import CREATED, events, moment, owner, writes

TEMPLATE = PersistentVolumeClaimTemplate(
    metadata=ObjectMeta(labels={"a": "b"}, annotations={"c": "d"}), spec=claim(storage_class="fast").spec
)
OWN = EphemeralVolumeSource(volumeClaimTemplate=TEMPLATE)


def web(**fields: object) -> Pod:
    """Return a pod with two volumes of its own, and a claim of somebody's."""
    others = PersistentVolumeClaimVolumeSource(claimName="data")
    volumes = [
        Volume(name="a", ephemeral=OWN),
        Volume(name="x", persistentVolumeClaim=others),
        Volume(name="b", ephemeral=OWN),
    ]
    return changed(pod("web"), spec__volumes=volumes, **fields)  # fmt: skip


def claimed(name: str, by: Pod | None) -> dict[str, ObjectMeta]:
    """Return the metadata of a claim."""
    return {name: meta(name, "default", ownerReferences=[owner(by)] if by else [])}


def test_each_volume_gets_a_claim_from_its_template():
    """It is named after both, and goes with the pod."""
    first, second = writes(plan(Seen(web(), {}), moment()))
    assert isinstance(first, Create)
    assert isinstance(second, Create)
    assert [each.object.metadata.name for each in (first, second)] == ["web-a", "web-b"]
    made = first.object
    assert made.metadata.ownerReferences == [owner(web())]
    assert (made.metadata.labels, made.metadata.annotations) == ({"a": "b"}, {"c": "d"})
    assert getattr(made, "spec") == TEMPLATE.spec  # noqa: B009 - a claim has one
    assert first.on_failure is not None
    assert first.on_failure.message == "ephemeral volume a: create PVC web-a: {error}"


@pytest.mark.parametrize(
    ("seen", "made"),
    [
        (Seen(web(), claimed("web-a", web())), ["web-b"]),
        (Seen(web(), claimed("web-a", web()) | claimed("web-b", web())), []),
        (Seen(web(metadata__deletionTimestamp=CREATED), {}), []),
        (Seen(pod("web"), {}), []),
    ],
)
def test_only_what_is_missing_is_made(seen, made):
    """Nothing for a pod that goes."""
    assert [
        write.object.metadata.name for write in writes(plan(seen, moment())) if isinstance(write, Create)
    ] == made


@pytest.mark.parametrize("by", [None, pod("other")])
def test_the_claim_of_somebody_else_is_left_alone(by):
    """The pod is told, and nothing that comes after it is made."""
    made = plan(Seen(web(), claimed("web-a", by)), moment())
    text = "ephemeral volume a: PVC default/web-a was not created for pod default/web (pod is not owner)"
    assert events(made) == [("Warning", "FailedBinding", text)]
    assert not writes(made)

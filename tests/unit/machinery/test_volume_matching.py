"""Which volume suits a claim."""

from __future__ import annotations

import pytest

from machinery.model.k8s.meta_v1 import LabelSelector
from machinery.model.storage import IS_DEFAULT_CLASS, OLD_CLASS
from machinery.model.volume_matching import (
    class_of_claim,
    default_class,
    find_volume,
    find_volume_for_node,
    has_class,
    is_bound_to,
    refusal,
)
from tests.support.builders import meta, node
from tests.support.claims import ONCE, claim, only_on, storage_class, volume

MANY, POD = "ReadWriteMany", "ReadWriteOncePod"
OTHER = claim("other")
GONE = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("wanted", "volumes", "found"),
    [
        (claim(), [], None),
        (claim(), [volume("big", "3Gi"), volume("small", "2Gi"), volume("tiny", "1Mi")], "small"),
        (claim(size="1000M"), [volume("less", "953Mi"), volume("more", "954Mi")], "more"),
        (claim(), [volume("many", modes=(ONCE, MANY)), volume("once", "9Gi")], "once"),
        (claim(modes=(MANY,)), [volume("once"), volume("many", modes=(ONCE, MANY))], "many"),
        (claim(modes=(POD,)), [volume("once"), volume("pod", modes=(POD,))], "pod"),
        (claim(), [volume("block", volumeMode="Block")], None),
        (claim(volumeMode="Block"), [volume("block", volumeMode="Block")], "block"),
        (claim(), [volume("other", storage_class="fast")], None),
        (claim(storage_class="fast"), [volume("none"), volume("fast", storage_class="fast")], "fast"),
        (claim(storage_class=None), [volume("none")], "none"),
        (claim(), [volume("going", metadata={"deletionTimestamp": GONE})], None),
        (claim(), [volume("new", phase="Pending"), volume("old", phase="Released")], None),
        (claim(), [volume("taken", of=OTHER)], None),
        (claim(), [volume("free"), volume("kept", "9Gi", of=claim(), uid="")], "kept"),
        (claim(), [volume("free"), volume("kept", "1Mi", of=claim(), uid="")], "free"),
        (claim(), [volume("kept", of=claim(), uid="", storage_class="fast", phase="Pending")], "kept"),
        (claim(), [volume("before", of=claim(), uid="uid of one that is gone")], None),
        (claim(), [volume("fast", volumeAttributesClassName="gold")], None),
        (
            claim(selector=LabelSelector(matchLabels={"tier": "a"})),
            [volume("plain"), volume("a", "5Gi", metadata={"labels": {"tier": "a"}})],
            "a",
        ),
    ],
)
def test_the_smallest_volume_that_fits_or_the_one_that_is_reserved(wanted, volumes, found):
    """In whatever order they are looked at."""
    for order in (volumes, volumes[::-1]):
        chosen = find_volume(wanted, order, is_delayed=False)
        assert (chosen.metadata.name if chosen else None) == found


def test_only_a_reserved_volume_is_found_where_the_scheduler_chooses():
    """It gives the others."""
    volumes = [volume("free")]
    assert find_volume(claim(), volumes, is_delayed=True) is None
    reserved = volume("kept", of=claim(), uid="")
    assert find_volume(claim(), [*volumes, reserved], is_delayed=True) == reserved


@pytest.mark.parametrize(
    ("volumes", "taken", "found"),
    [
        ([volume("there", nodeAffinity=only_on("node-2")), volume("here", "5Gi", nodeAffinity=only_on("node-1"))], (), "here"),
        ([volume("anywhere")], (), "anywhere"),
        ([volume("anywhere")], ("anywhere",), None),
        ([volume("free"), volume("kept", of=claim(), uid="", nodeAffinity=only_on("node-2"))], (), None),
        ([volume("kept", of=claim(), uid="", nodeAffinity=only_on("node-2")), volume("free")], (), None),
        ([volume("many", modes=(MANY,))], (), None),
    ],
)  # fmt: skip
def test_for_a_node_volumes_have_to_be_reachable_from_it(volumes, taken, found):
    """One that is reserved and out of reach rules the node out."""
    here = node("node-1", labels={"kubernetes.io/hostname": "node-1"})
    chosen = find_volume_for_node(claim(), volumes, here, taken)
    assert (chosen.metadata.name if chosen else None) == found


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (volume(), ""),
        (volume(metadata={"deletionTimestamp": GONE}), 'the volume is marked for deletion "pv"'),
        (volume(size="1Mi"), "requested PV is too small"),
        (volume(storage_class="fast"), "storageClassName does not match"),
        (volume(volumeAttributesClassName="gold"), "volumeAttributesClassName does not match"),
        (volume(volumeMode="Block"), "incompatible volumeMode"),
        (volume(modes=(MANY,)), "incompatible accessMode"),
    ],
)
def test_a_volume_that_is_named_may_not_fit(one, why):
    """It says why."""
    assert refusal(claim(), one) == why


def test_an_old_annotation_names_the_class_before_the_field_does():
    """A claim that says neither has no class yet."""
    old = claim(storage_class="new", metadata={"annotations": {OLD_CLASS: "old"}})
    assert (class_of_claim(old), has_class(old)) == ("old", True)
    assert [has_class(claim(storage_class=name)) for name in (None, "", "fast")] == [False, True, True]


def test_the_default_class_is_the_newest_marked_one():
    """By name among those of one age; none where none is marked."""
    marked = {IS_DEFAULT_CLASS: "true"}
    classes = [
        storage_class(name, metadata={"annotations": notes, "creationTimestamp": made})
        for name, notes, made in (("c", marked, GONE), ("b", marked, GONE), ("a", marked, "2025-01-01T00:00:00Z"), ("0", {}, GONE))
    ]  # fmt: skip
    found = default_class(classes)
    assert found is not None
    assert found.metadata.name == "b"
    assert default_class([storage_class()]) is None


def test_a_reference_without_a_uid_is_to_whoever_has_the_name():
    """With one, it is to nobody else."""
    again = claim(metadata={"uid": "another"})
    assert is_bound_to(volume(of=claim(), uid=""), again)
    assert not is_bound_to(volume(of=claim()), again)
    assert meta("data", "default").uid == claim().metadata.uid

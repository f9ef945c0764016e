"""Which images and which dead containers a node removes, and which it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest

from kubelet.core.eviction.thresholds import Observed
from kubelet.core.image_garbage import (
    NEVER,
    ImageLimits,
    ImageUse,
    bytes_to_free,
    images_in_use,
    note_use,
    old_enough,
    too_old,
    unused,
    used_percent,
)
from kubelet.core.life import Life, Stage
from kubelet.core.observed import ObservedContainer
from kubelet.core.pod_garbage import ContainerLimits, plan_collection
from machinery.model.k8s.core_v1 import ImageVolumeSource, Pod, Volume
from machinery.pb import cri_pb2 as cri
from tests.support.builders import container, pod
from tests.support.pod_life import START_S, ended, run, seen


def image(name: str, size: int = 100, **fields: Any) -> cri.Image:
    return cri.Image(id=f"sha256:{name}", repo_tags=[f"{name}:1"], size=size, **fields)


def life(made: Pod, *containers: ObservedContainer, stage: Stage = Stage.SYNCING) -> Life:
    return Life(made, seen(made, *containers), START_S, stage=stage)


# --- images


def test_an_image_is_in_use_while_a_container_of_it_is_left_and_before_there_is_one():
    """Also those of image volumes; a pod that has ended needs none but what its containers are of."""
    volume = Volume(name="files", image=ImageVolumeSource(reference="files"))
    coming = life(pod("coming", containers=[container(image="busybox")], volumes=[volume]))
    over = life(
        pod("over", containers=[container(image="gone:1")]),
        ended(image="over:1", image_id="sha256:over"),
        stage=Stage.TERMINATED,
    )
    assert images_in_use([coming, over]) == {"busybox:latest", "files:latest", "over:1", "sha256:over"}


def test_what_was_there_before_the_kubelet_has_no_age():
    """What comes later has; what is used is used now; what is gone is forgotten."""
    first = note_use({}, [image("old"), image("busy")], {"busy:1"}, 50.0, is_first=True)
    assert first == {"sha256:old": ImageUse(NEVER), "sha256:busy": ImageUse(NEVER, 50.0)}
    later = note_use(first, [image("busy"), image("new")], {"sha256:new"}, 60.0, is_first=False)
    assert later == {"sha256:busy": ImageUse(NEVER, 50.0), "sha256:new": ImageUse(60.0, 60.0)}


def test_the_least_recently_used_goes_first_and_what_is_pinned_or_in_use_never():
    """Of those that were never used the one that came first."""
    images = [image(name) for name in ("used", "late", "early", "old")] + [image("kept", pinned=True)]
    uses = {
        "sha256:used": ImageUse(0.0, 100.0),
        "sha256:late": ImageUse(20.0),
        "sha256:early": ImageUse(10.0),
        "sha256:old": ImageUse(0.0, 90.0),
        "sha256:kept": ImageUse(0.0),
    }
    assert [each.repo_tags[0] for each in unused(images, uses, 100.0)] == ["early:1", "late:1", "old:1"]


def test_an_image_that_nobody_has_used_for_too_long_goes_whatever_the_disk_is_like():
    """Nobody knows what was before the kubelet: its time begins with the kubelet, an image's own when it comes."""
    limits = ImageLimits(most_age_s=200.0)
    uses = {"sha256:a": ImageUse(NEVER), "sha256:b": ImageUse(150.0), "sha256:c": ImageUse(NEVER, 250.0)}
    images = [image(name) for name in "abc"]

    def going(now_s: float) -> str:
        return "".join(each.repo_tags[0][0] for each in too_old(images, uses, limits, now_s, 100.0))

    assert [going(now_s) for now_s in (300.0, 301.0, 351.0, 451.0)] == ["", "a", "ab", "abc"]
    assert too_old(images, uses, ImageLimits(), 1e9, 100.0) == []


def test_an_image_that_has_just_come_is_not_removed_for_its_room():
    """A pod may be about to use it."""
    uses = {"sha256:a": ImageUse(NEVER), "sha256:b": ImageUse(100.0)}
    limits = ImageLimits(least_age_s=60.0)
    found = {now_s: old_enough([image("a"), image("b")], uses, limits, now_s) for now_s in (159.0, 160.0)}
    assert [len(each) for each in found.values()] == [1, 2]


@pytest.mark.parametrize(
    ("available", "percent", "wanted"),
    [(151, 85, 49), (150, 85, 50), (160, 84, 0), (0, 100, 200), (2000, 0, 0)],
)
def test_a_disk_over_the_high_threshold_is_emptied_to_the_low_one(available: int, percent: int, wanted: int):
    """How full it is counts in whole percent, rounded up."""
    disk = Observed(available, 1000)
    assert (used_percent(disk), bytes_to_free(disk, ImageLimits())) == (percent, wanted)


@pytest.mark.parametrize(
    ("numbers", "why"),
    [
        ((101, 80), "between 0 and 100"),
        ((80, 80), "less than the high"),
        ((80, 10, -1.0), "below 0"),
        ((80, 10, 60.0, 60.0), "greater than the minimum age"),
    ],
)
def test_limits_that_do_not_go_together_are_refused(numbers: tuple[Any, ...], why: str):
    """As a KubeletConfiguration with them is."""
    with pytest.raises(ValueError, match=why):
        ImageLimits(*numbers)


def test_images_go_by_themselves_unless_both_limits_are_off():
    """A high threshold of 100 is never reached, as kind has it."""
    assert [each.is_on for each in (ImageLimits(), ImageLimits(100), ImageLimits(100, most_age_s=200.0))] == [
        True,
        False,
        True,
    ]


# --- dead containers


def dead(number: int, name: str = "main", since_s: float = START_S) -> list[ObservedContainer]:
    return [ended(name, attempt, created_s=since_s + attempt) for attempt in range(number)]


def test_of_each_container_as_many_old_instances_stay_as_the_limit_says():
    """Beside the newest, dead or not; none goes before it is old enough."""
    one = life(pod("one"), *dead(4), run(attempt=4))
    other = life(pod("two"), *dead(2))
    limits = ContainerLimits(each=2, least_age_s=10.0)
    assert plan_collection([one, other], limits, START_S + 5.0) == {}
    assert plan_collection([one, other], limits, START_S + 10.0) == {one.uid: {"main-0"}}
    assert plan_collection([one, other], limits, START_S + 20.0) == {one.uid: {"main-0", "main-1"}}
    assert plan_collection([one, other], ContainerLimits(each=-1), START_S + 20.0) == {}
    assert [ContainerLimits(each=2).kept_at_once, limits.kept_at_once] == [2, None]


def test_of_the_whole_node_the_oldest_go_but_never_the_newest_of_a_pod_that_goes_on():
    """How it ended says what the pod does next; of pods that have ended all may go."""
    young = life(pod("young"), *dead(3, since_s=START_S + 50.0))
    old = life(pod("old"), *dead(2))
    over = life(pod("over"), *dead(1, since_s=START_S + 20.0), stage=Stage.TERMINATED)
    lives = [young, old, over]

    def going(most: int) -> dict[str, set[str]]:
        plan = plan_collection(lives, ContainerLimits(each=-1, all=most), START_S + 100.0)
        return {each.pod.metadata.name: set(plan[each.uid]) for each in lives if each.uid in plan}

    assert going(6) == {}
    assert going(5) == {"old": {"main-0"}}
    assert going(4) == {"old": {"main-0"}, "over": {"main-0"}}
    assert going(0) == {"old": {"main-0"}, "over": {"main-0"}, "young": {"main-0", "main-1"}}


def test_a_node_short_of_disk_removes_what_is_left_of_pods_that_have_ended():
    """Nothing of the others beyond the limits."""
    over = life(pod("over"), *dead(2), *dead(1, "side"), stage=Stage.TERMINATED)
    going_on = life(pod("on"), *dead(2), run(attempt=2))
    plan = plan_collection([over, going_on], ContainerLimits(), START_S + 5.0, is_short=True)
    assert plan == {over.uid: {"main-0", "main-1", "side-0"}, going_on.uid: {"main-0"}}

"""Which pods' volumes are written again because of what they show of the pod."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from kubelet.core.life import Life, Stage
from kubelet.core.observed import ObservedPod
from kubelet.core.pod_lifecycle import begin
from kubelet.volume_news import VolumeNews
from machinery.model.k8s.core_v1 import (
    DownwardAPIProjection,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    Pod,
    ProjectedVolumeSource,
    Volume,
    VolumeProjection,
)
from machinery.model.log import SILENT
from tests.support.builders import changed, container, pod

ITEM = DownwardAPIVolumeFile(path="labels")
DIRECT = Volume(name="v", downwardAPI=DownwardAPIVolumeSource(items=[ITEM]))
PROJECTED = Volume(
    name="v",
    projected=ProjectedVolumeSource(
        sources=[VolumeProjection(downwardAPI=DownwardAPIProjection(items=[ITEM]))]
    ),
)
OTHER = Volume(name="v", emptyDir=EmptyDirVolumeSource())


def life(volume: Volume, **fields: Any) -> Life:
    return begin(pod("web", volumes=[volume], **fields), ObservedPod("u"), 0.0, None)


async def refreshed(*lives: Life, forgotten: str = "") -> list[Pod]:
    """Return the pods whose volumes are written after these steps."""
    written: list[Pod] = []

    async def refresh(one: Pod) -> None:
        written.append(one)

    news = VolumeNews(refresh, SILENT)
    for each in lives:
        news.note(each)
    news.forget(forgotten)
    running = asyncio.ensure_future(news.run())
    for _ in range(3):
        await asyncio.sleep(0)
    running.cancel()
    return written


def relabelled(one: Life, text: str) -> Life:
    return replace(one, pod=changed(one.pod, metadata__labels={"a": text}))


async def test_other_labels_are_written_into_both_kinds_of_volumes():
    """Once, and as they are now."""
    for volume in (DIRECT, PROJECTED):
        before = life(volume)
        middle, after = relabelled(before, "b"), relabelled(before, "c")
        assert await refreshed(before, middle, after) == [after.pod]


async def test_a_resize_is_written():
    """Files show requests and limits, too."""
    before = life(DIRECT)
    after = replace(before, pod=changed(before.pod, spec__containers=[container(requests={"cpu": "2"})]))
    assert await refreshed(before, after) == [after.pod]


async def test_nothing_is_written_without_need():
    """Neither for a status, nor for pods whose volumes show nothing of them, nor for one that ends."""
    before, other = life(DIRECT), life(OTHER)
    assert await refreshed(before, replace(before, pod=changed(before.pod, status__phase="Running"))) == []
    assert await refreshed(other, relabelled(other, "b")) == []
    ending = replace(relabelled(before, "b"), stage=Stage.TERMINATING)
    assert await refreshed(before, ending) == []
    assert await refreshed(before, relabelled(before, "b"), forgotten=before.uid) == []

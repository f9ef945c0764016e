"""Pods of which a small spec asks for much: the pod is told what is too much, and the node's other pods go on."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from random import Random
from resource import RUSAGE_SELF, getrusage
from typing import Final

import pytest

from machinery.model.errors import Invalid
from machinery.model.k8s.core_v1 import EnvVar, Pod
from machinery.model.resources import CONFIG_MAPS
from tests.support.builders import container, pod
from tests.support.examples import first_seeds
from tests.support.hostile_pods import KINDS, big_config_map, hostile_pods
from tests.support.kubelet import Rig, rig
from tests.support.loop_steps import measured_steps
from tests.support.waiting import until

MOST_GROWTH_KIB: Final = 256 * 1024


async def test_variables_that_expand_ten_times_each_wait_with_a_reason(tmp_path: Path):
    """The status and the event name the container and the variable; a pod beside it runs."""
    lines = [EnvVar(name="E0", value="0123456789")]
    lines += [EnvVar(name=f"E{number}", value=f"$(E{number - 1})" * 10) for number in range(1, 9)]
    boxes = [container("bomb", env=lines), container("long", args=["x" * 200_000]), container("good")]
    async with rig(tmp_path) as node:
        await node.create(pod("large", containers=boxes))
        await node.create(pod("small"))
        await node.until("small", lambda found: found.status.phase == "Running")
        found = await node.until(
            "large",
            lambda found: (
                found.status.containerStatuses[-1:] and found.status.containerStatuses[2].state.running
            ),
        )
        bomb, long = (each.state.waiting for each in found.status.containerStatuses[:2])
        assert (bomb.reason, long.reason) == ("CreateContainerConfigError", "CreateContainerConfigError")
        assert bomb.message.startswith('environment variable "E5" of container "bomb": ')
        assert long.message.startswith('args[0] of container "long": ')
        await node.until_told("large", "Failed", "Started")
        assert ("Failed", f"Error: {bomb.message}") in await node.events("large")
        assert {each.config.metadata.name for each in node.containers()} == {"good", "main"}


@pytest.mark.parametrize("seed", first_seeds(2, quick=0))
async def test_no_spec_ends_the_kubelet_or_stalls_the_others(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
):
    """Pods of every hostile kind that the apiserver takes: a pod beside them runs, no step is long, and all of them go."""
    hostile = list(hostile_pods(Random(seed)))
    with measured_steps(monkeypatch) as steps:
        await _hold(tmp_path, hostile)
    steps.check(f"a pod of seed {seed}")


async def _hold(tmp_path: Path, hostile: list[Pod]) -> None:
    async with rig(tmp_path, time_scale=3.0) as node:  # what fails is not tried again all the time
        await node.server.given(CONFIG_MAPS, big_config_map())
        await node.create(pod("first"))
        before_kib = getrusage(RUSAGE_SELF).ru_maxrss
        taken = [one.metadata.name for one in hostile if await _is_taken(node, one)]
        await node.create(pod("last"))
        for name in ("first", "last"):
            await node.until(name, lambda found: found.status.phase == "Running", limit_s=60)
        for name in taken:
            await until(
                partial(_has_an_outcome, node, name), within_s=60, every_s=0.1, what=f"an outcome of {name}"
            )
        for name in (*taken, "first", "last"):
            await node.delete(name, grace_s=1)
            await node.remove(name)
        await node.until_true(lambda: not list(node.running.workers.lives()), limit_s=60)
        await node.until_true(lambda: not node.world.containers and not node.world.sandboxes)
    assert len(taken) == len(KINDS)
    assert getrusage(RUSAGE_SELF).ru_maxrss - before_kib < MOST_GROWTH_KIB


async def _is_taken(node: Rig, one: Pod) -> bool:
    try:
        await node.create(one)
    except Invalid:
        return False
    return True


async def _has_an_outcome(node: Rig, name: str) -> bool:
    """Whether a pod runs, was refused, or its user is told what is in its way."""
    found = await node.pod(name)
    if found.status.phase in {"Running", "Failed", "Succeeded"}:
        return True
    return any(reason.startswith("Failed") for reason, _ in await node.events(name))

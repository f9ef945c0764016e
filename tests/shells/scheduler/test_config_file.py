"""The scheduler's configuration file: what is wrong with it is said before anything else happens."""

import asyncio

import pytest

from machinery.model.log import SILENT
from machinery.model.resources import EVENTS, NODES, PODS
from machinery.process.config import ConfigError
from machinery.process.metrics import Metrics
from scheduler.app import build
from scheduler.config import SchedulerConfig
from scheduler.config_file import configured
from tests.support.builders import node, pod
from tests.support.scripted_api import local_registry
from tests.support.virtual_clock import VirtualClock

HEAD = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"


def test_the_profiles_of_a_file_are_read(tmp_path):
    """YAML, or JSON, which is YAML too."""
    path = tmp_path / "scheduler.yaml"
    path.write_text(
        '{"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration",'
        ' "profiles": [{"schedulerName": "one"}, {"schedulerName": "two"}]}'
    )
    found = configured(str(path), "")
    assert [each.scheduler_name for each in found.profiles] == ["one", "two"]


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: kubescheduler.config.k8s.io/v1beta3\nkind: KubeSchedulerConfiguration",
        "apiVersion: kubescheduler.config.k8s.io/v1\nkind: Pod",
        "[]",
        "a: b: c",
    ],
)
def test_a_file_of_another_kind_is_refused_by_its_name(tmp_path, text):
    """Before anything else happens; so is one that is not there."""
    path = tmp_path / "scheduler.yaml"
    with pytest.raises(ConfigError, match=r"--config: .*scheduler\.yaml"):
        configured(str(path), "")
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"--config: .*scheduler\.yaml"):
        configured(str(path), "")
    with pytest.raises(ConfigError, match="scheduler-name"):
        SchedulerConfig(server="x", config=str(path), scheduler_name="mine").validate()


async def test_each_profile_has_its_pods(tmp_path):
    """One process places those of all its profiles, each by its own plugins, and leaves the others alone."""
    path = tmp_path / "scheduler.yaml"
    path.write_text(
        HEAD
        + """
profiles:
- schedulerName: packing
  plugins:
    score: {disabled: [{name: "*"}], enabled: [{name: NodeResourcesFit}]}
  pluginConfig:
  - {name: NodeResourcesFit, args: {scoringStrategy: {type: MostAllocated}}}
- schedulerName: default-scheduler
"""
    )
    config = SchedulerConfig(server="x", config=str(path), leader_elect=False)
    clock = VirtualClock()
    async with local_registry(clock) as server:
        used = pod("used", node="used", requests={"cpu": "1", "memory": "1Gi"})
        for name in ("used", "empty"):
            await server.given(NODES, node(name))
        asked = [
            pod(name, schedulerName=profile, requests={"cpu": "1"})
            for name, profile in (
                ("packed", "packing"),
                ("spread", "default-scheduler"),
                ("left", "of-somebody-else"),
            )
        ]
        for each in (used, *asked):
            await server.given(PODS, each)
        scheduler = build(
            config, server.api("scheduler"), clock, SILENT, Metrics(), identity="", tie_breaks=lambda: 0.0
        )
        task = asyncio.ensure_future(scheduler.run())
        await clock.advance(5)
        found = [await server.user.get(PODS, each.metadata.name, namespace="default") for each in asked]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        events = (await server.user.list(EVENTS)).items
    assert [each.spec.nodeName for each in found] == ["used", "empty", ""]
    assert {each.involvedObject.name: each.source.component for each in events} == {
        "packed": "packing",
        "spread": "default-scheduler",
    }

"""Plugins that are not Kubarium's: found by their entry points, asked at every point, and kept from doing harm."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from machinery.model.resources import NODES, PODS
from machinery.process.config import ConfigError
from scheduler.config import SchedulerConfig
from scheduler.plugin_time import PluginTime
from tests.support.builders import node, pod
from tests.support.scheduler_plugins import EXAMPLE, configuration, importable, install, install_example
from tests.support.scheduler_world import SchedulerWorld
from tests.support.scripted_api import local_registry
from tests.support.sources import ROOT
from tests.support.virtual_clock import VirtualClock

EVERYWHERE = "  plugins: {multiPoint: {enabled: [{name: Mine}]}}\n"
HEAD = "from scheduler.plugin import *\n\n\nclass Mine(Plugin):\n    name = 'Mine'\n\n"
BAD = "pod.labels.labels.get('bad')"


@pytest.fixture
async def world() -> AsyncIterator[SchedulerWorld]:
    clock = VirtualClock()
    async with local_registry(clock) as server:
        yield SchedulerWorld(clock, server)


@pytest.fixture
def mine(tmp_path):
    """Install a plugin with these methods; gives a configuration that has it at every point."""

    def make(methods, profile=EVERYWHERE):
        text = HEAD + "".join(f"    {line}\n" for line in methods.strip().splitlines())
        install(tmp_path, "mine", {"mine_of_the_test": text}, {"Mine": "mine_of_the_test:Mine"})
        return configuration(tmp_path, profile)

    with importable(tmp_path):
        yield make


async def test_the_example_filters_and_scores_by_its_arguments(world, tmp_path):
    """At most two of an app on a node, each time where fewest are; the third says why it waits."""
    install_example(tmp_path)
    config = configuration(
        tmp_path,
        "  plugins: {multiPoint: {enabled: [{name: Crowds, weight: 50}]}}\n"
        "  pluginConfig: [{name: Crowds, args: {most: 2}}]\n",
    )
    for name in ("node-1", "node-2"):
        await world.server.given(NODES, node(name))
    with importable(tmp_path):
        async with world.scheduling(config=config):
            for number in range(5):
                await world.server.given(PODS, pod(f"web-{number}", labels={"app": "web"}))
                await world.clock.advance(1)
            await world.server.given(PODS, pod("other"))
            await world.clock.advance(1)
            nodes = [await world.node_of(f"web-{number}") for number in range(5)]
            assert [nodes[0] != nodes[1], nodes[2] != nodes[3], nodes[4]] == [True, True, ""]
            assert await world.node_of("other")
            [message] = await world.messages("web-4")
            assert "2 node(s) had enough pods of this app" in message
            ended = {"status": {"phase": "Succeeded"}}
            await world.user.patch(PODS, "web-0", ended, namespace="default", subresource="status")
            await world.clock.advance(12)
            assert await world.node_of("web-4") == nodes[0]


POISON = {
    "PreEnqueue": f"def gate(self, pod, snapshot):\n    if {BAD}: {{}}\n    return ''",
    "PreFilter": f"def need(self, pod, snapshot):\n    if {BAD}: {{}}\n    return 'all'",
    "Filter": (
        f"def need(self, pod, snapshot):\n    return {BAD}\n"
        "def filter(self, need, snapshot):\n    def judge(node):\n        {}\n    return Filter(judge)"
    ),
    "Score": (
        f"def need(self, pod, snapshot):\n    return {BAD}\n"
        "def score(self, need, snapshot):\n    def rate(node):\n        {}\n    return Score(rate)"
    ),
    "Reserve": (
        f"def need(self, pod, snapshot):\n    return {BAD}\n"
        "def reserve(self, pod, need, node, snapshot):\n    {}"
    ),
    "Permit": f"def permit(self, pod, node, handle):\n    if {BAD}: {{}}",
    "PreBind": f"async def pre_bind(self, pod, node, api):\n    if {BAD}: {{}}",
    "Bind": f"async def bind(self, pod, node, api):\n    if {BAD}: {{}}",
    "QueueSort": f"def queue_key(self, pod, added_s):\n    if {BAD}: {{}}\n    return (added_s,)",
}
SORTS = "  plugins: {multiPoint: {disabled: [{name: PrioritySort}], enabled: [{name: Mine}]}}\n"


@pytest.mark.parametrize("point", POISON)
@pytest.mark.parametrize(
    "harm", ["raise ValueError('nobody foresaw it')", "raise SystemExit(3)", "return 3.5"]
)
async def test_a_plugin_that_fails_on_a_pod_fails_that_pod_alone(world, mine, point, harm):
    """Its event names the plugin and the point, at which the plugin raised something or said nonsense; others are bound."""
    if harm.startswith("return") and point in {"PreFilter", "Reserve", "PreBind"}:
        harm = {"PreFilter": "return [3]", "Reserve": "raise KeyError(3)", "PreBind": "raise KeyError(3)"}[
            point
        ]
    config = mine(POISON[point].format(harm), SORTS if point == "QueueSort" else EVERYWHERE)
    await world.server.given(NODES, node())
    async with world.scheduling(config=config):
        await world.server.given(PODS, pod("poison", labels={"bad": "yes"}))
        await world.server.given(PODS, pod("good"))
        await world.clock.advance(5)
        assert await world.node_of("good") == "node-1"
        assert f'running {point} plugin "Mine": ' in (await world.messages("poison"))[0]
        sorted_all_the_same = point == "QueueSort"  # it has its place by priority
        assert bool(await world.node_of("poison")) == sorted_all_the_same
        assert not world.watch.snapshot.is_assumed("uid-default-poison")


@pytest.mark.parametrize("waste", ["any(False for _ in iter(int, 1))", "__import__('time').sleep(60)"])
@pytest.mark.parametrize("point", ["PreEnqueue", "PreFilter", "Filter", "Score", "Permit", "PreBind", "Bind"])
async def test_a_plugin_that_takes_too_long_is_ended(world, mine, point, waste):
    """Whether it computes or waits; the pod is told, the next one is bound."""
    config = mine(POISON[point].format(waste))
    await world.server.given(NODES, node())
    async with world.scheduling(config=config, plugin_timeout_s=0.4):
        await world.server.given(PODS, pod("poison", labels={"bad": "yes"}))
        await world.server.given(PODS, pod("good"))
        await world.clock.advance(1)
        assert await world.node_of("good") == "node-1"
        assert f'running {point} plugin "Mine": it took longer than 0.4 s' in await world.messages("poison")


async def test_what_a_plugin_awaits_has_a_deadline(world, mine):
    """One that never returns from PreBind gives the node back."""
    config = mine(
        "async def pre_bind(self, pod, node, api):\n    if pod.name == 'poison': await __import__('asyncio').Event().wait()"
    )
    await world.server.given(NODES, node())
    async with world.scheduling(config=config):
        await world.server.given(PODS, pod("poison"))
        await world.server.given(PODS, pod("good"))
        await world.clock.advance(1.5)
        assert await world.node_of("good") == "node-1"
        assert 'running PreBind plugin "Mine": it took longer than 1 s' in await world.messages("poison")


async def test_what_a_plugin_awaits_is_awaited(world, mine):
    """Step by step, with results and exceptions as ever; one that is not to be awaited is nonsense."""
    config = mine(
        "async def pre_bind(self, pod, node, api):\n"
        "    from machinery.model.resources import NODES, PODS\n"
        "    found = await api.get(NODES, node)\n"
        "    try:\n"
        "        await api.get(PODS, 'nobody', namespace='default')\n"
        "    except Exception as error:\n"
        "        raise ValueError(f'{found.metadata.name}: {type(error).__name__}') from error\n"
        "def post_bind(self, pod, node, api):\n"
        "    pass\n"
    )
    await world.server.given(NODES, node())
    async with world.scheduling(config=config):
        await world.server.given(PODS, pod())
        await world.clock.advance(0.5)
        assert (await world.messages("web"))[
            0
        ] == 'running PreBind plugin "Mine": ValueError: node-1: NotFound'


def test_only_plugins_are_interrupted():
    """What is between two calls of them goes on, however long it takes."""
    with PluginTime(0.001) as _:
        for _ in range(300_000):
            pass


async def test_a_gate_is_asked_again_when_something_happens_that_may_open_it(world, mine):
    """By the events that it names."""
    config = mine(
        "opened_by = frozenset({ClusterEvent.NODE_ADDED})\n"
        "def gate(self, pod, snapshot):\n    return '' if snapshot.node_count > 1 else 'two nodes'"
    )
    await world.server.given(NODES, node("node-1"))
    await world.server.given(PODS, pod())
    async with world.scheduling(config=config):
        await world.clock.advance(400)
        assert await world.node_of() == ""
        await world.server.given(NODES, node("node-2"))
        await world.clock.advance(1)
        assert await world.node_of()


async def test_a_gate_that_failed_is_asked_again_after_a_while(world, mine):
    """And not with every event: it may have taken its whole time to fail."""
    config = mine(
        "asked = []\n"
        "def gate(self, pod, snapshot):\n"
        "    self.asked.append(pod.name)\n"
        "    if len(self.asked) < 3: raise ValueError('not yet')\n"
        "    return ''"
    )
    await world.server.given(PODS, pod())
    async with world.scheduling(config=config):
        for number in range(5):
            await world.server.given(NODES, node(f"node-{number}"))
            await world.clock.advance(1)
        import mine_of_the_test

        assert mine_of_the_test.Mine.asked == ["web"]
        await world.clock.advance(20)
        assert await world.node_of()
        assert mine_of_the_test.Mine.asked == ["web"] * 3


async def test_a_plugin_may_bind_pods_itself_or_leave_them_to_the_next(world, mine):
    """And hears of those that were bound, by whomever."""
    config = mine(
        "told = []\n"
        "async def bind(self, pod, node, api):\n"
        "    if pod.name == 'left': return False\n"
        "    if pod.name == 'lied': return True\n"
        "    from machinery.model.k8s.core_v1 import Binding, ObjectReference\n"
        "    from machinery.model.k8s.meta_v1 import ObjectMeta, Status\n"
        "    from machinery.model.resources import PODS\n"
        "    body = Binding(metadata=ObjectMeta(name=pod.name, namespace=pod.namespace), target=ObjectReference(kind='Node', name=node))\n"
        "    await api.post(PODS, pod.name, 'binding', body, Status, namespace=pod.namespace)\n"
        "    return True\n"
        "async def post_bind(self, pod, node, api):\n"
        "    self.told.append((pod.name, node))\n"
        "    raise ValueError('too late to matter')\n"
    )
    await world.server.given(NODES, node())
    async with world.scheduling(config=config):
        for name in ("bound", "left", "lied"):
            await world.server.given(PODS, pod(name))
        await world.clock.advance(1)
        assert [await world.node_of(name) for name in ("bound", "left", "lied")] == ["node-1", "node-1", ""]
        assert len(world.binding_calls()) == 2
        assert (await world.messages("lied"))[0].startswith('running Bind plugin "Mine": it said')
        import mine_of_the_test

        assert sorted(mine_of_the_test.Mine.told) == [("bound", "node-1"), ("left", "node-1")]


async def test_a_plugin_may_sort_the_queue(world, mine):
    """In PrioritySort's place: here the last letter of the alphabet first."""
    config = mine("def queue_key(self, pod, added_s):\n    return (-ord(pod.name[0]),)", SORTS)
    for name in ("a", "c", "b"):
        await world.server.given(PODS, pod(name))
    await world.server.given(NODES, node())
    async with world.scheduling(config=config):
        await world.clock.advance(2)
        assert [name for _, _, name in world.binding_calls()] == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("profile", "problem"),
    [
        (
            "  plugins: {filter: {enabled: [{name: Yours}]}}",
            "enabled[0].name: Yours is not built in Kubarium, nor installed",
        ),
        (
            "  plugins: {score: {enabled: [{name: Mine}]}}",
            "score.enabled[0].name: Mine has nothing to do at this point",
        ),
        (
            "  pluginConfig: [{name: Mine, args: {}}]",
            "pluginConfig[0].name: the plugin Mine is not enabled in this profile",
        ),
        (
            EVERYWHERE + "  pluginConfig: [{name: Mine, args: {many: 2}}]",
            "pluginConfig[0].args: the plugin Mine cannot be made: TypeError: ",
        ),
        (
            "  plugins: {queueSort: {enabled: [{name: Mine}]}}",
            "queueSort: PrioritySort has to be enabled, or disabled for another one: here are Mine, PrioritySort",
        ),
        (
            "  plugins: {queueSort: {enabled: [{name: Mine}], disabled: [{name: '*'}]}}\n- schedulerName: two",
            "profiles[1].plugins.queueSort: all profiles share one queue",
        ),
    ],
)
def test_what_is_wrong_about_a_plugin_in_the_file_is_said_at_the_start(mine, profile, problem):
    """With the field, by --check-flags, too."""
    config = mine("def queue_key(self, pod, added_s):\n    return (0,)", profile)
    with pytest.raises(ConfigError) as caught:
        SchedulerConfig(server="x", config=config).validate()
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("raise ImportError('no such library')", "cannot be made: ImportError: no such library"),
        ("class Mine: pass", "Mine is a Mine, and no scheduler.plugin.Plugin"),
        ("from scheduler.plugin import Plugin\nclass Mine(Plugin): name = 'Other'", "calls itself 'Other'"),
    ],
)
def test_what_is_no_plugin_is_said_at_the_start(tmp_path, text, problem):
    """Whatever its package does."""
    install(tmp_path, "mine", {"mine_of_the_test": text}, {"Mine": "mine_of_the_test:Mine"})
    config = configuration(tmp_path, EVERYWHERE)
    with importable(tmp_path), pytest.raises(ConfigError, match="--config: ") as caught:
        SchedulerConfig(server="x", config=config).validate()
    assert problem in str(caught.value)


def test_a_name_of_ours_is_taken(tmp_path):
    """The file could not say which is meant."""
    install(tmp_path, "mine", {"mine_of_the_test": ""}, {"NodeName": "mine_of_the_test:Mine"})
    config = configuration(tmp_path, "")
    with importable(tmp_path), pytest.raises(ConfigError, match="called NodeName, as one of Kubarium's is"):
        SchedulerConfig(server="x", config=config).validate()


def test_the_document_shows_the_example_as_it_is():
    """What is shown is what the other tests run."""
    text = (ROOT / "docs" / "scheduler-plugin.md").read_text()
    assert f"```python\n{(EXAMPLE / 'crowds.py').read_text()}```" in text
    gangs = (EXAMPLE / "gangs.py").read_text()
    shown = text.split("```python\n")[2].split("```")[0]
    assert shown in gangs
    assert f"```yaml\n{(EXAMPLE / 'scheduler.yaml').read_text()}```" in text
    named = '[project.entry-points."kubarium.scheduler_plugins"]\nCrowds = "crowds:Crowds"\n'
    assert named in text
    assert named in (EXAMPLE / "pyproject.toml").read_text()


def test_the_program_finds_what_pythonpath_has(tmp_path):
    """As `kubarium up` starts it, and checks its flags before."""
    install_example(tmp_path)
    config = configuration(tmp_path, "  plugins: {multiPoint: {enabled: [{name: Crowds}]}}")
    command = [sys.executable, "-m", "scheduler", "--server", "x", "--config", config, "--check-flags"]
    found = {
        folder: subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": folder},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        for folder in (str(tmp_path), "")
    }
    assert found[str(tmp_path)].returncode == 0, found[str(tmp_path)].stderr
    assert "Crowds is not built in Kubarium, nor installed" in found[""].stderr

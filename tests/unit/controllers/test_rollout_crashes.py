"""The process dies after each single write: what comes out in the end is what comes out without."""

import pytest

from controllers.core.workloads import DEPLOYMENTS
from machinery.model.k8s.apps_v1 import DeploymentStrategy
from tests.support.controllers import SmallWorld, deployment, rolling, template
from tests.support.examples import sample
from tests.support.rollout import Rollout

STRATEGIES = {
    "rolling": rolling(1, 1),
    "surge": rolling("50%", 0),
    "recreate": DeploymentStrategy(type="Recreate"),
}


def play(strategy, crash_after=None):
    """Roll out, update, scale in the middle of it, undo; the first write that is the n-th of a life kills."""
    rollout = Rollout(SmallWorld())
    world = rollout.world
    world.crash_after = crash_after
    world.add(DEPLOYMENTS, deployment(3, strategy=STRATEGIES[strategy]))
    rollout.settle()
    world.change(DEPLOYMENTS, "web", {"spec": {"template": template("app:2")}})
    rollout.settle()
    world.change(DEPLOYMENTS, "web", {"spec": {"replicas": 5}})
    rollout.settle()
    world.change(DEPLOYMENTS, "web", {"spec": {"template": template("app:1"), "replicas": 2}})
    rollout.settle()
    return rollout, world.writes


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_crash_after_any_write_changes_nothing_in_the_end(strategy):
    """Same ReplicaSets, same sizes, same revisions, same pods, same status."""
    faultless, count = play(strategy)
    assert count > 30
    assert faultless.active == faultless.ready == 2
    for crash_after in sample(range(1, count + 1)):
        crashed, _ = play(strategy, crash_after)
        assert crashed.world.crash_after is None
        assert crashed.outcome() == faultless.outcome(), f"after a crash at write {crash_after}"

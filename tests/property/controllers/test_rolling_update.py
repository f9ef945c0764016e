"""A rolling update under any interleaving of controllers and kubelets keeps its bounds and comes to its end."""

from hypothesis import example, given
from hypothesis import strategies as st

from controllers.core.workloads import DEPLOYMENTS
from controllers.deployment.rollout import limits
from tests.support.controllers import SmallWorld, deployment, pods_of, rolling, template
from tests.support.examples import examples
from tests.support.rollout import Rollout

amounts = st.one_of(st.integers(0, 4), st.integers(0, 100).map(lambda share: f"{share}%"))
steps = st.lists(st.sampled_from(["deployment", "replica sets", "one pod", "pods"]), max_size=40)


STALE_STATUS = [  # the old ReplicaSet has deleted a pod and not told of it when the deployment shrinks it again
    *("deployment", "replica sets", "deployment", "deployment"),
    *("one pod", "replica sets", "deployment", "replica sets"),
]


def play(rollout: Rollout, step: str) -> None:
    if step == "deployment":
        rollout.step_deployment()
    elif step == "replica sets":
        for rs in rollout.replica_sets:
            rollout.step_replica_set(rs.metadata.name)
    else:
        rollout.make_ready(1 if step == "one pod" else 1_000)


@examples(60)
@given(replicas=st.integers(1, 9), surge=amounts, unavailable=amounts, moves=steps)
@example(replicas=3, surge=1, unavailable=1, moves=STALE_STATUS)
def test_an_update_never_leaves_its_bounds_and_ends(replicas, surge, unavailable, moves):
    """Never more than replicas + maxSurge pods, never fewer than replicas - maxUnavailable Ready ones."""
    rollout = Rollout(SmallWorld())
    rollout.world.add(DEPLOYMENTS, deployment(replicas, strategy=rolling(surge, unavailable)))
    rollout.settle()
    most, fewest = limits(rollout.deployment)
    rollout.world.change(DEPLOYMENTS, "web", {"spec": {"template": template("app:2")}})
    for move in moves:
        play(rollout, move)
        assert rollout.active <= replicas + most
        assert rollout.ready >= replicas - fewest
    rollout.settle()
    assert [pod.spec.containers[0].image for pod in pods_of(rollout.world)] == ["app:2"] * replicas
    assert rollout.ready == replicas


@examples(30)
@given(sizes=st.lists(st.integers(0, 12), min_size=1, max_size=4), surge=amounts, moves=steps)
def test_scaling_in_the_middle_of_an_update_ends_at_the_last_size(sizes, surge, moves):
    """Whatever happens in between."""
    rollout = Rollout(SmallWorld())
    rollout.world.add(DEPLOYMENTS, deployment(3, strategy=rolling(surge, "25%")))
    rollout.settle()
    rollout.world.change(DEPLOYMENTS, "web", {"spec": {"template": template("app:2")}})
    for size in sizes:
        for move in moves[:8]:
            play(rollout, move)
        rollout.world.change(DEPLOYMENTS, "web", {"spec": {"replicas": size}})
    rollout.settle()
    assert [pod.spec.containers[0].image for pod in pods_of(rollout.world)] == ["app:2"] * sizes[-1]

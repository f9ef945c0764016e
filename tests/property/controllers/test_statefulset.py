"""A StatefulSet under any interleaving of users, kubelets and looks at the past keeps its identities and its order."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controllers.core.actions import Facts, Plan
from controllers.core.workloads import STATEFUL_SETS
from controllers.statefulset.plan import Seen, plan
from machinery.model.pods import is_ready, is_terminating
from machinery.model.resources import PODS
from tests.support.controllers import template
from tests.support.examples import examples
from tests.support.stateful import Rollout, claim_template, stateful_set, updating

MOVES = ["plan", "plan", "plan", "stale plan", "run", "ready", "end", "delete", "fail", "update", "scale"]
moves = st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 3)), max_size=60)


class Machines:
    """Where the containers of pods run, whatever the store says: they end only when their kubelet ends them."""

    def __init__(self) -> None:
        self.running: dict[str, set[str]] = defaultdict(set)  # by the name of the pod, the uids

    def start(self, name: str, uid: str) -> None:
        """Run a pod; from now on it holds its identity."""
        self.running[name].add(uid)
        assert len(self.running[name]) == 1, f"{name} has several holders: {self.running[name]}"

    def end(self, name: str) -> None:
        """End what runs under a name."""
        self.running.pop(name, None)


class Game:
    """One StatefulSet, and all that can happen to it."""

    def __init__(self, rollout: Rollout) -> None:
        self.rollout = rollout
        self.world = rollout.world
        self.machines = Machines()
        self.past: list[Seen] = [rollout.look()]
        self.images = 1

    def play(self, move: str, number: int) -> None:
        """Make a move; `number` says with which pod, or which look at the past."""
        name = f"web-{number}"
        pod = self.rollout.pods.get(name)
        match move:
            case "plan":
                self.past.append(self.rollout.look())
                self.act(self.past[-1])
            case "stale plan":
                self.act(self.past[-1 - number % len(self.past)])
            case "update":
                self.images += 1
                self.rollout.change(template=template(f"app:{self.images}"))
            case "scale":
                self.rollout.change(replicas=number)
            case _ if pod is not None:
                self.play_pod(move, name)

    def play_pod(self, move: str, name: str) -> None:
        """Make a move that is about a pod that is there."""
        pod = self.rollout.pods[name]
        match move:
            case "run" if not is_terminating(pod):
                self.machines.start(name, pod.metadata.uid)
            case "ready" if pod.metadata.uid in self.machines.running[name]:
                self.rollout.ready(name)
            case "end" if is_terminating(pod):
                self.machines.end(name)
                self.world.end(name)
            case "delete":
                self.world.mark_deleted(name)
            case "fail" if not is_ready(pod):
                self.world.change(PODS, name, {"status": {"phase": "Failed"}})

    def act(self, seen: Seen) -> None:
        """Plan from what was seen, and do it."""
        moment = self.world.moment

        def make(facts: Facts) -> Plan:
            return plan(seen, moment, facts)

        self.world.run(make)


@examples(50)
@given(parallel=st.booleans(), partition=st.integers(0, 2), most=st.integers(1, 2), played=moves)
def test_there_is_never_a_second_holder_of_an_identity(
    parallel: bool, partition: int, most: int, played: list[tuple[str, int]]
):
    """Whatever is deleted, fails or is seen too late; in the end all are there, and the history names what they are."""
    policy = "Parallel" if parallel else "OrderedReady"
    strategy = updating(partition=partition, maxUnavailable=most)
    owner = stateful_set(3, podManagementPolicy=policy, strategy=strategy)
    game = Game(Rollout(owner))
    for move, number in played:
        game.play(move, number)
    replicas = game.rollout.owner.spec.replicas
    for pod in game.rollout.pods.values():  # nobody waits for one that is never mended
        if not is_ready(pod):
            game.world.mark_deleted(pod.metadata.name)
    game.rollout.settle()
    assert list(game.rollout.pods) == [f"web-{number}" for number in range(replicas)]
    newest = f"app:{game.images}"
    assert set(list(game.rollout.images.values())[partition:]) <= {newest}


def test_the_check_sees_a_second_holder():
    """Somebody takes a pod out of the store while it runs: its successor is started beside it."""
    game = Game(Rollout(stateful_set(1)))
    for move in ("plan", "plan", "run"):
        game.play(move, 0)
    game.world.end("web-0")
    game.play("plan", 0)
    with pytest.raises(AssertionError, match="web-0 has several holders"):
        game.play("run", 0)


@examples(30)
@given(sizes=st.lists(st.integers(0, 4), max_size=4), finished=st.lists(st.integers(0, 3), max_size=12))
def test_in_order_nothing_moves_past_what_is_not_ready(sizes: list[int], finished: list[int]):
    """A pod is made only when all below it are Ready, and deleted only when none above it is left."""
    rollout = Rollout(stateful_set(3, volumeClaimTemplates=[claim_template()]))
    for size in [3, *sizes]:
        rollout.world.change(STATEFUL_SETS, "web", {"spec": {"replicas": size}})
        for number in finished:
            before = rollout.pods
            rollout.steps()
            after = rollout.pods
            for name in after.keys() - before.keys():
                lower = [f"web-{n}" for n in range(int(name[-1]))]
                assert all(is_ready(before[each]) for each in lower)
                assert f"data-{name}" in rollout.claims
            ending = [name for name, pod in after.items() if is_terminating(pod)]
            assert ending in ([], [max(after, default="")])
            rollout.end()
            rollout.ready(f"web-{number}")

"""A DaemonSet keeps its bounds whatever nodes, kubelets and its own template do, and comes to its end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controllers.core.workloads import DAEMON_SETS
from controllers.daemonset.standing import read_standing
from machinery.model.resources import NODES as NODE_RESOURCE
from tests.support.controllers import SmallWorld, daemon_set, template
from tests.support.daemons import Daemons
from tests.support.examples import examples, sample

NODES = 5
amounts = st.one_of(st.integers(1, 4), st.integers(1, 100).map(lambda share: f"{share}%"))
in_place = amounts.map(lambda amount: {"surge": 0, "unavailable": amount})
beside = amounts.map(lambda amount: {"surge": amount, "unavailable": 0})
quiet = st.sampled_from(["plan", "bind", "ready", "one ready"])
loud = st.one_of(quiet, st.tuples(st.sampled_from(["taint", "untaint", "fail"]), st.integers(0, NODES - 1)))


def play(daemons, move):
    match move:
        case "plan":
            daemons.step()
        case "bind":
            daemons.bind()
        case "ready":
            daemons.make_ready()
        case "one ready":
            daemons.make_ready(1)
        case ("fail", _):
            daemons.fail_one()
        case (word, number):
            daemons.taint(number, tainted=word == "taint")


def started(**fields):
    daemons = Daemons(SmallWorld(), NODES)
    daemons.world.add(DAEMON_SETS, daemon_set(**fields))
    daemons.settle()
    return daemons


def is_whole(daemons, image):
    """Whether every node that suits has one pod of the image, and no other has any."""
    found = {node: [pod.spec.containers[0].image for pod in pods] for node, pods in daemons.by_node().items()}
    return found == {node: [image] for node in daemons.suiting()}


@examples(60)
@given(strategy=st.one_of(in_place, beside), moves=st.lists(quiet, max_size=40))
def test_an_update_never_leaves_its_bounds_and_ends(strategy, moves):
    """Never fewer nodes with a Ready pod than maxUnavailable allows, never more with two pods than maxSurge allows."""
    daemons = started(**strategy)
    standing = read_standing(
        daemons.daemon_set, "", daemons.world.list(NODE_RESOURCE), (), daemons.world.moment
    )
    daemons.world.change(DAEMON_SETS, "web", {"spec": {"template": template("app:2")}})
    for move in moves:
        play(daemons, move)
        counts = [len(pods) for pods in daemons.by_node().values()]
        assert daemons.ready_nodes() >= NODES - standing.max_unavailable
        assert max(counts, default=0) <= 2
        assert counts.count(2) <= standing.max_surge
    daemons.settle()
    assert is_whole(daemons, "app:2")


@examples(60)
@given(strategy=st.one_of(in_place, beside), moves=st.lists(loud, max_size=40), late=st.integers(0, 40))
def test_whatever_happens_every_node_that_suits_has_one_pod_in_the_end(strategy, moves, late):
    """Nodes are tainted, pods fail, and the template changes in the middle of it."""
    daemons = started(**strategy)
    for number, move in enumerate(moves):
        if number == late:
            daemons.world.change(DAEMON_SETS, "web", {"spec": {"template": template("app:2")}})
        play(daemons, move)
    daemons.settle()
    assert is_whole(daemons, "app:2" if late < len(moves) else "app:1")
    assert daemons.daemon_set.status.numberReady == len(daemons.suiting())


def course(crash_after=None, **fields):
    """Roll out, update, lose nodes in the middle of it, undo; the write that is the n-th kills."""
    daemons = Daemons(SmallWorld(), NODES)
    daemons.world.crash_after = crash_after
    daemons.world.add(DAEMON_SETS, daemon_set(**fields))
    daemons.settle()
    daemons.world.change(DAEMON_SETS, "web", {"spec": {"template": template("app:2")}})
    for _ in range(3):
        play(daemons, "plan")
    daemons.taint(0, tainted=True)
    daemons.fail_one()
    daemons.settle()
    daemons.world.change(DAEMON_SETS, "web", {"spec": {"template": template("app:1")}})
    daemons.settle()
    return daemons


@pytest.mark.parametrize(
    "fields", [{"unavailable": 2}, pytest.param({"surge": 2, "unavailable": 0}, marks=pytest.mark.deep)]
)
def test_a_crash_after_any_write_changes_nothing_in_the_end(fields):
    """Same pods, same revisions, same status."""
    faultless = course(**fields)
    assert faultless.world.writes > 30
    for crash_after in sample(range(1, faultless.world.writes + 1)):
        crashed = course(crash_after, **fields)
        assert crashed.world.crash_after is None
        assert crashed.outcome() == faultless.outcome(), f"after a crash at write {crash_after}"

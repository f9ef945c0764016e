"""The snapshot's bookkeeping of assumed pods."""

from scheduler.core.snapshot import Snapshot
from tests.support.builders import changed, node, pod
from tests.support.scheduler import Decider

POD = pod(requests={"cpu": "1"})


def assumed():
    world = Decider(node())
    world.snapshot.assume(world.reader.read(POD), "node-1")
    return world


def used(world):
    return world.snapshot.node("node-1").cpu


def test_an_assumed_pod_counts_at_once():
    """Before any request is made."""
    world = assumed()
    assert used(world) == 1000
    assert world.snapshot.is_assumed(POD.metadata.uid)


def test_the_watch_confirms_it_and_it_counts_once():
    """What is confirmed cannot be forgotten any more."""
    world = assumed()
    world.run(changed(POD, spec__nodeName="node-1"))
    assert used(world) == 1000
    assert world.snapshot.forget(POD.metadata.uid) is None
    assert used(world) == 1000


def test_the_watch_corrects_it():
    """Another scheduler may have been faster."""
    world = assumed()
    world.snapshot.set_node(node("node-2"))
    world.run(changed(POD, spec__nodeName="node-2"))
    assert used(world) == 0
    assert world.snapshot.node("node-2").cpu == 1000


def test_a_failed_binding_is_forgotten():
    """Its resources are free again."""
    world = assumed()
    assert world.snapshot.forget(POD.metadata.uid).name == "web"
    assert used(world) == 0


def test_what_nobody_confirms_is_reported_after_its_binding():
    """Not while the binding is under way."""
    world = assumed()
    assert world.snapshot.unconfirmed(100.0) == []
    world.snapshot.finish_binding(POD.metadata.uid, 50.0)
    assert world.snapshot.unconfirmed(50.0) == []
    assert [each.name for each in world.snapshot.unconfirmed(51.0)] == ["web"]


def test_pods_may_come_before_their_node():
    """The node takes them over when it comes."""
    world = Decider()
    world.run(changed(POD, spec__nodeName="node-1"))
    assert world.snapshot.node_count == 0
    world.snapshot.set_node(node())
    assert used(world) == 1000


def test_places_of_nodes_that_are_gone_are_used_again():
    """Node churn does not grow the snapshot."""
    snapshot = Snapshot()
    for number in range(50):
        snapshot.set_node(node(f"node-{number}"))
        snapshot.remove_node(f"node-{number}")
    assert len(snapshot.nodes) == 1


def test_who_is_too_far_behind_looks_at_everything():
    """The log of changes is bounded."""
    snapshot = Snapshot()
    start = snapshot.position
    snapshot.set_node(node())
    assert snapshot.changes_since(start) == {0}
    for _ in range(25_000):
        snapshot._note(snapshot.nodes[0])
    assert snapshot.changes_since(start) is None
    assert snapshot.changes_since(snapshot.position) == set()

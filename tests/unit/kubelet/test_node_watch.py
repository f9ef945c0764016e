"""When a node is looked at, what is passed on, and what is worth writing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubelet.core import node_watch
from kubelet.core.node_status import RuntimeState
from kubelet.core.node_watch import RUNTIME_GRACE_S, NodeWatch
from machinery.model.clock import Timescale
from machinery.model.k8s.core_v1 import Node, NodeCondition, NodeSpec, NodeStatus
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.profile import intervals

NEW = NodeWatch(answered_s=100.0)
WELL = RuntimeState("docker://20.10", ())
KNOWN = node_watch.answered(NEW, WELL, 110.0)
TIMES = intervals("default")


def node(ready: str = "", cidr: str = "") -> Node:
    """Build a Node object as the API has it."""
    conditions = [NodeCondition(type="Ready", status=ready)] if ready else []
    return Node(
        metadata=ObjectMeta(name="n"), spec=NodeSpec(podCIDR=cidr), status=NodeStatus(conditions=conditions)
    )


def test_a_silence_is_forgiven_for_a_while():
    """What the runtime said last holds until then; its version is known for ever."""
    assert node_watch.silent(KNOWN, "gone", 110.0 + RUNTIME_GRACE_S) == KNOWN
    late = node_watch.silent(KNOWN, "gone", 110.1 + RUNTIME_GRACE_S)
    assert late.runtime == RuntimeState("docker://20.10", ("container runtime is down: gone",))
    assert node_watch.answered(late, WELL, 150.0) == replace(KNOWN, answered_s=150.0)


def test_a_runtime_that_has_never_answered_says_nothing_of_why():
    """Its error would be about a socket that does not exist yet."""
    late = node_watch.silent(NEW, "no such file", 100.1 + RUNTIME_GRACE_S)
    assert late.runtime.problems == ("container runtime is down",)


def test_looks_are_frequent_while_something_is_missing():
    """Then they come at the regular interval; failures have their own count."""
    scale, watch, pauses = Timescale(10), NEW, []
    for _ in range(3):
        watch = node_watch.looked(watch, failures=0, is_ready=False)
        pauses.append(node_watch.pause_s(watch, 0, 10.0, scale))
    assert pauses == [1.0, 2.0, 4.0]
    assert node_watch.pause_s(watch, 1, 10.0, scale) == 1.0
    assert node_watch.pause_s(watch, 9, 10.0, scale) == 10.0
    watch = node_watch.looked(watch, failures=0, is_ready=True)
    assert node_watch.pause_s(watch, 0, 10.0, scale) == 10.0
    assert node_watch.looked(watch, failures=1, is_ready=True).unready_looks == 1


@pytest.mark.parametrize(
    ("given", "own", "is_network_ready", "to_give"),
    [
        ("", None, False, ""),
        ("", node(), False, ""),
        ("", node(cidr="10.1.0.0/24"), False, "10.1.0.0/24"),
        ("10.1.0.0/24", node(cidr="10.1.0.0/24"), True, ""),
        ("10.1.0.0/24", node(cidr="10.1.0.0/24"), False, "10.1.0.0/24"),
        ("10.1.0.0/24", node(cidr="10.2.0.0/24"), True, "10.2.0.0/24"),
    ],
)
def test_a_pod_range_is_given_when_it_is_new_or_forgotten(given, own, is_network_ready, to_give):
    """A runtime that has started anew has no network."""
    watch = replace(KNOWN, given_cidr=given)
    assert node_watch.range_to_give(watch, own, is_network_ready=is_network_ready) == to_give


@pytest.mark.parametrize(
    ("own", "is_ready", "wants"),
    [
        (node("True"), True, False),
        (node("Unknown"), True, True),
        (node("Unknown"), False, False),
        (node("True", "10.1.0.0/24"), True, True),
    ],
)
def test_news_of_the_object_is_a_reason_to_look(own, is_ready, wants):
    """A range that is not passed on yet, or a Ready that somebody has overruled."""
    assert node_watch.wants_look(KNOWN, own, is_ready=is_ready) is wants


def test_a_kubelet_that_starts_again_keeps_the_last_word_until_it_knows_better():
    """What is not Ready loses nothing by a new word."""
    assert not node_watch.knows_enough(NEW, node("True"), 100.0 + RUNTIME_GRACE_S)
    assert node_watch.knows_enough(NEW, node("True"), 100.1 + RUNTIME_GRACE_S)
    assert node_watch.knows_enough(NEW, node("False"), 100.0)
    assert node_watch.knows_enough(KNOWN, node("True"), 110.0)


def test_a_status_is_written_when_it_says_something_new_or_after_a_while():
    """New against the last one written, or against what the API has."""
    status = node("True").status
    watch = node_watch.written(KNOWN, status, 200.0)
    assert node_watch.is_worth_writing(KNOWN, node("True"), status, 200.0, TIMES)
    assert not node_watch.is_worth_writing(watch, node("True"), status, 201.0, TIMES)
    assert node_watch.is_worth_writing(watch, node("Unknown"), status, 201.0, TIMES)
    assert node_watch.is_worth_writing(watch, node("True"), node("False").status, 201.0, TIMES)
    due_s = 200.0 + TIMES.node_status_report_s
    assert node_watch.is_worth_writing(watch, node("True"), status, due_s, TIMES)

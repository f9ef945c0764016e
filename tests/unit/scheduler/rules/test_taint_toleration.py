"""TaintToleration: taints that bar, taints that cost points, and what tolerates them.

https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
"""

import pytest

from scheduler.core.plugins.node_unschedulable import NodeUnschedulable
from scheduler.core.plugins.taint_toleration import TaintToleration
from tests.support.builders import node, taint
from tests.support.scheduler_rules import ask, spec

NODES = [
    node("free"),
    node("gpu", taints=[taint("gpu", "NoSchedule", "nvidia")]),
    node("out", taints=[taint("gpu", "NoExecute", "amd")]),
    node("soft", taints=[taint("gpu", "PreferNoSchedule", "nvidia")]),
    node("two", taints=[taint("gpu", "NoSchedule", "nvidia"), taint("team", "NoSchedule", "")]),
    node("plain", taints=[taint("team", "NoSchedule", "")]),
]
BARRED = "node(s) had untolerated taint(s)"


def tolerating(*each):
    return f"tolerations: [{', '.join(each)}]" if each else ""


@pytest.mark.parametrize(
    ("rule", "tolerations", "fits"),
    [
        ("without tolerations, NoSchedule and NoExecute bar, PreferNoSchedule does not", [], "free soft"),
        ("Exists: whatever the value and the effect", ["{key: gpu, operator: Exists}"], "free gpu out soft"),
        ("Equal: the value has to be the same", ["{key: gpu, operator: Equal, value: nvidia}"], "free gpu soft"),
        ("Equal: another value", ["{key: gpu, operator: Equal, value: intel}"], "free soft"),
        ("Equal is the default", ["{key: gpu, value: amd}"], "free out soft"),
        ("an empty value is a value", ["{key: team, operator: Equal, value: ''}"], "free plain soft"),
        ("without a value, Equal means the empty one", ["{key: team}"], "free plain soft"),
        ("Equal without a value does not match another one", ["{key: gpu}"], "free soft"),
        ("an effect narrows: NoSchedule", ["{key: gpu, operator: Exists, effect: NoSchedule}"], "free gpu soft"),
        ("an effect narrows: NoExecute", ["{key: gpu, operator: Exists, effect: NoExecute}"], "free out soft"),
        ("an effect narrows: PreferNoSchedule opens nothing", ["{key: gpu, operator: Exists, effect: PreferNoSchedule}"], "free soft"),
        ("no key with Exists tolerates everything", ["{operator: Exists}"], "free gpu out plain soft two"),
        ("no key with Exists and an effect tolerates all of that effect", ["{operator: Exists, effect: NoSchedule}"], "free gpu plain soft two"),
        ("another key", ["{key: disk, operator: Exists}"], "free soft"),
        ("the same key, other case", ["{key: GPU, operator: Exists}"], "free soft"),
        ("all taints of a node have to be tolerated", ["{key: team, operator: Exists}"], "free plain soft"),
        ("by several tolerations together", ["{key: team, operator: Exists}", "{key: gpu, value: nvidia}"], "free gpu plain soft two"),
        ("one that does not match does no harm", ["{key: team, operator: Exists}", "{key: gpu, value: amd}"], "free out plain soft"),
        ("tolerationSeconds of NoExecute lets a pod in", ["{key: gpu, operator: Exists, effect: NoExecute, tolerationSeconds: 10}"], "free out soft"),
        ("tolerationSeconds of 0, too: it goes again at once", ["{key: gpu, operator: Exists, effect: NoExecute, tolerationSeconds: 0}"], "free out soft"),
    ],
)  # fmt: skip
def test_which_nodes_fit(rule, tolerations, fits):
    """Where every taint that bars is tolerated."""
    said = ask(TaintToleration(), spec(tolerating(*tolerations)), NODES)
    assert said.fits == fits, rule
    assert set(said.why.values()) <= {BARRED}


def soft(name, *keys):
    return node(name, taints=[taint(each, "PreferNoSchedule") for each in keys])


@pytest.mark.parametrize(
    ("rule", "tolerations", "nodes", "scores"),
    [
        ("who has none is best", [], [soft("none"), soft("one", "a")], {"none": 100, "one": 0}),
        ("each costs as much", [], [soft("none"), soft("one", "a"), soft("two", "a", "b")], {"none": 100, "one": 50, "two": 0}),
        ("shares are cut to whole numbers", [], [soft("one", "a"), soft("three", "a", "b", "c")], {"one": 67, "three": 0}),
        ("one that is tolerated costs nothing", ["{key: a, operator: Exists}"], [soft("none"), soft("one", "a"), soft("two", "a", "b")], {"none": 100, "one": 100, "two": 0}),
        ("tolerated with that effect", ["{key: a, operator: Exists, effect: PreferNoSchedule}"], [soft("none"), soft("one", "a")], {"none": 100, "one": 100}),
        ("tolerated for another effect only", ["{key: a, operator: Exists, effect: NoSchedule}"], [soft("none"), soft("one", "a")], {"none": 100, "one": 0}),
        ("where all are alike, nobody is better", [], [soft("one", "a"), soft("other", "b")], {"one": 0, "other": 0}),
        ("where there are none, all have 100", [], [soft("one"), soft("other")], {"one": 100, "other": 100}),
        ("taints that bar and are tolerated cost nothing", ["{key: b, operator: Exists}"], [node("hard", taints=[taint("b")]), soft("one", "a")], {"hard": 100, "one": 0}),
        ("nodes that do not fit are not compared", [], [node("hard", taints=[taint("b"), taint("a", "PreferNoSchedule"), taint("c", "PreferNoSchedule")]), soft("one", "a"), soft("none")], {"one": 0, "none": 100}),
    ],
)  # fmt: skip
def test_which_nodes_are_preferred(rule, tolerations, nodes, scores):
    """Those with the fewest taints of PreferNoSchedule that are not tolerated."""
    assert ask(TaintToleration(), spec(tolerating(*tolerations)), nodes).scores == scores, rule


@pytest.mark.parametrize(
    ("rule", "tolerations", "fits"),
    [
        ("a cordoned node takes nobody", [], "open"),
        ("who tolerates the cordon", ["{key: node.kubernetes.io/unschedulable, operator: Exists}"], "cordoned open"),
        ("for its effect", ["{key: node.kubernetes.io/unschedulable, operator: Exists, effect: NoSchedule}"], "cordoned open"),
        ("for another effect", ["{key: node.kubernetes.io/unschedulable, operator: Exists, effect: NoExecute}"], "open"),
        ("with the empty value", ["{key: node.kubernetes.io/unschedulable, value: ''}"], "cordoned open"),
        ("with another value", ["{key: node.kubernetes.io/unschedulable, value: 'yes'}"], "open"),
        ("who tolerates everything", ["{operator: Exists}"], "cordoned open"),
        ("who tolerates something else", ["{key: gpu, operator: Exists}"], "open"),
    ],
)  # fmt: skip
def test_which_pods_go_to_a_cordoned_node(rule, tolerations, fits):
    """NodeUnschedulable: those that tolerate the taint that stands for a cordon."""
    said = ask(
        NodeUnschedulable(),
        spec(tolerating(*tolerations)),
        [node("open"), node("cordoned", unschedulable=True)],
    )
    assert said.fits == fits, rule
    assert set(said.why.values()) <= {"node(s) were unschedulable"}

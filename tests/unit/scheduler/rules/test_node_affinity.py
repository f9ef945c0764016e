"""NodeAffinity: nodeSelector, required terms, preferred terms, and what a profile adds.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
"""

import pytest

from scheduler.core.configured.args import build_plugin
from scheduler.core.plugins.node_affinity import NodeAffinity
from tests.support.scheduler_rules import ask, nodes_of, spec

NODES = nodes_of(
    a={"disk": "ssd", "zone": "x", "cores": "4"},
    b={"disk": "hdd", "zone": "y", "cores": "16"},
    c={"zone": "y", "cores": "many"},
    d={"disk": ""},
)
OTHERS = "node(s) didn't match Pod's node affinity/selector"


def required(*terms):
    listed = ", ".join(terms)
    return f"affinity: {{nodeAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: {{nodeSelectorTerms: [{listed}]}}}}}}"


def labels(*expressions):
    return f"{{matchExpressions: [{', '.join(expressions)}]}}"


def expr(key, operator, *values):
    return (
        f"{{key: {key}, operator: {operator}, values: {list(values)}}}"
        if values
        else f"{{key: {key}, operator: {operator}}}"
    )


def field(operator, *values):
    return f"{{matchFields: [{expr('metadata.name', operator, *values)}]}}"


@pytest.mark.parametrize(
    ("rule", "asked", "fits"),
    [
        ("nothing asked for", "", "a b c d"),
        ("a selector", "nodeSelector: {disk: ssd}", "a"),
        ("a selector with two labels needs both", "nodeSelector: {disk: hdd, zone: y}", "b"),
        ("a selector with two labels, one of another value", "nodeSelector: {disk: ssd, zone: y}", ""),
        ("a selector with a label that nobody has", "nodeSelector: {gpu: 'yes'}", ""),
        ("a selector with an empty value is no wildcard", "nodeSelector: {disk: ''}", "d"),
        ("a selector by host name", "nodeSelector: {kubernetes.io/hostname: c}", "c"),
        ("In: one value", required(labels(expr("disk", "In", "ssd"))), "a"),
        ("In: one of several values", required(labels(expr("disk", "In", "ssd", "hdd"))), "a b"),
        ("In: the empty value is a value", required(labels(expr("disk", "In", ""))), "d"),
        ("In: a label that is not there matches nothing", required(labels(expr("gpu", "In", "x"))), ""),
        ("NotIn: other values", required(labels(expr("disk", "NotIn", "ssd"))), "b c d"),
        ("NotIn: who lacks the label matches, too", required(labels(expr("disk", "NotIn", "ssd", "hdd"))), "c d"),
        ("Exists", required(labels(expr("disk", "Exists"))), "a b d"),
        ("DoesNotExist", required(labels(expr("disk", "DoesNotExist"))), "c"),
        ("Gt: compares numbers, not texts", required(labels(expr("cores", "Gt", "5"))), "b"),
        ("Gt: is strict", required(labels(expr("cores", "Gt", "16"))), ""),
        ("Gt: what is no number does not match", required(labels(expr("cores", "Gt", "0"))), "a b"),
        ("Lt", required(labels(expr("cores", "Lt", "5"))), "a"),
        ("Lt: is strict", required(labels(expr("cores", "Lt", "4"))), ""),
        ("Lt: who lacks the label does not match", required(labels(expr("cores", "Lt", "1000"))), "a b"),
        ("the expressions of a term have to hold together", required(labels(expr("zone", "In", "y"), expr("disk", "Exists"))), "b"),
        ("a range: Gt and Lt in one term", required(labels(expr("cores", "Gt", "3"), expr("cores", "Lt", "10"))), "a"),
        ("of the terms one has to hold", required(labels(expr("zone", "In", "x")), labels(expr("disk", "In", ""))), "a d"),
        ("a term that holds nowhere does not spoil the others", required(labels(expr("gpu", "Exists")), labels(expr("zone", "In", "x"))), "a"),
        ("an empty term matches nothing", required("{}"), ""),
        ("an empty term beside another one", required("{}", labels(expr("zone", "In", "x"))), "a"),
        ("a field: the node's name", required(field("In", "b")), "b"),
        ("a field: not this name", required(field("NotIn", "b")), "a c d"),
        ("a field that no node has", required(field("In", "elsewhere")), ""),
        ("fields and labels of one term have to hold together", required("{matchFields: [{key: metadata.name, operator: In, values: [a]}], matchExpressions: [{key: zone, operator: In, values: [y]}]}"), ""),
        ("a field in one term, a label in another", required(field("In", "a"), labels(expr("disk", "In", "hdd"))), "a b"),
        ("a selector and terms have to hold together", "nodeSelector: {zone: y}\n" + required(labels(expr("disk", "Exists"))), "b"),
        ("a selector that contradicts the terms", "nodeSelector: {zone: x}\n" + required(labels(expr("disk", "In", "hdd"))), ""),
        ("preferred terms keep no node out", "affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: gpu, operator: Exists}]}}]}}", "a b c d"),
    ],
)  # fmt: skip
def test_which_nodes_fit(rule, asked, fits):
    """By their labels and names; the others say so."""
    said = ask(NodeAffinity(), spec(asked), NODES)
    assert said.fits == fits, rule
    assert set(said.why) == set("abcd") - set(fits.split())
    assert set(said.why.values()) <= {OTHERS}


def preferred(*terms):
    listed = ", ".join(f"{{weight: {weight}, preference: {term}}}" for weight, term in terms)
    return f"affinity: {{nodeAffinity: {{preferredDuringSchedulingIgnoredDuringExecution: [{listed}]}}}}"


ZONE_Y, SSD, DISK = (
    labels(expr("zone", "In", "y")),
    labels(expr("disk", "In", "ssd")),
    labels(expr("disk", "Exists")),
)


@pytest.mark.parametrize(
    ("rule", "asked", "scores"),
    [
        ("who matches is best", preferred((1, SSD)), {"a": 100, "b": 0, "c": 0, "d": 0}),
        ("the weight of one term alone does not matter", preferred((100, SSD)), {"a": 100, "b": 0, "c": 0, "d": 0}),
        ("weights add up, the best has 100", preferred((30, ZONE_Y), (10, DISK)), {"a": 25, "b": 100, "c": 75, "d": 25}),
        ("shares are cut to whole numbers", preferred((2, ZONE_Y), (1, DISK)), {"a": 33, "b": 100, "c": 66, "d": 33}),
        ("terms that nobody matches rate nobody", preferred((50, labels(expr("gpu", "Exists")))), {"a": 0, "b": 0, "c": 0, "d": 0}),
        ("the expressions of a preferred term have to hold together", preferred((1, labels(expr("zone", "In", "y"), expr("disk", "Exists")))), {"a": 0, "b": 100, "c": 0, "d": 0}),
        ("a preferred name", preferred((1, field("In", "d"))), {"a": 0, "b": 0, "c": 0, "d": 100}),
        ("only those that fit are compared", "nodeSelector: {zone: y}\n" + preferred((9, SSD), (1, DISK)), {"b": 100, "c": 0}),
    ],
)  # fmt: skip
def test_which_nodes_are_preferred(rule, asked, scores):
    """0 to 100, by the sum of the weights of the terms that a node matches."""
    assert ask(NodeAffinity(), spec(asked), NODES).scores == scores, rule


def added(text):
    import yaml

    return build_plugin("NodeAffinity", {"addedAffinity": yaml.safe_load(text)}, "args")


ENFORCED = "node(s) didn't match scheduler-enforced node affinity"
ONLY_Y = "requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: zone, operator: In, values: [y]}]}]}"
RATHER_B = "preferredDuringSchedulingIgnoredDuringExecution: [{weight: 10, preference: {matchFields: [{key: metadata.name, operator: In, values: [b]}]}}]"


@pytest.mark.parametrize(
    ("rule", "extra", "asked", "order", "why"),
    [
        ("it is asked of pods that ask for nothing", ONLY_Y, "", "b=c", {"a": ENFORCED, "d": ENFORCED}),
        ("it is asked first", ONLY_Y, "nodeSelector: {disk: ssd}", "", {"a": ENFORCED, "b": OTHERS, "c": OTHERS, "d": ENFORCED}),
        ("both have to hold", ONLY_Y, "nodeSelector: {disk: hdd}", "b", {"a": ENFORCED, "c": OTHERS, "d": ENFORCED}),
        ("its preferences count", RATHER_B, "", "b a=c=d", {}),
        ("its preferences count with the pod's", RATHER_B, preferred((20, SSD)), "a b c=d", {}),
    ],
)  # fmt: skip
def test_what_a_profile_adds(rule, extra, asked, order, why):
    """In addition to the pod's own, with words of its own."""
    said = ask(added(extra), spec(asked), NODES)
    assert (said.order, said.why) == (order, why), rule

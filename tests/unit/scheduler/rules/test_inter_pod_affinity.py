"""InterPodAffinity: beside whom, and away from whom.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity
"""

import pytest

from scheduler.core.configured.args import build_plugin
from scheduler.core.plugins.inter_pod_affinity import InterPodAffinity
from tests.support.scheduler_rules import ask, nodes_of, spec

ZONES = nodes_of(a1={"zone": "a"}, a2={"zone": "a"}, b1={"zone": "b"}, none={})
HOST = "kubernetes.io/hostname"
NEAR, APART = "node(s) didn't match pod affinity rules", "node(s) didn't match pod anti-affinity rules"
REPELLED = "node(s) didn't satisfy existing pods anti-affinity rules"


def term(app="db", key="zone", **more):
    selector = f"{{matchLabels: {{app: {app}}}}}" if app else "{}"
    extra = "".join(f", {name}: {value}" for name, value in more.items())
    return f"{{topologyKey: {key}, labelSelector: {selector}{extra}}}"


def wish(weight, text):
    return f"{{weight: {weight}, podAffinityTerm: {text}}}"


def affinity(near=(), apart=(), near_wish=(), apart_wish=()):
    def part(required, preferred):
        return (
            f"{{requiredDuringSchedulingIgnoredDuringExecution: [{', '.join(required)}],"
            f" preferredDuringSchedulingIgnoredDuringExecution: [{', '.join(preferred)}]}}"
        )

    return f"affinity: {{podAffinity: {part(near, near_wish)}, podAntiAffinity: {part(apart, apart_wish)}}}"


def web(text="", **labels):
    return spec(text, app="web", **labels)


def on(where, app="db", text="", namespace="default", **labels):
    return spec(f"nodeName: {where}\n{text}", f"{app}-{where}-{namespace}", namespace, app=app, **labels)


@pytest.mark.parametrize(
    ("rule", "asked", "running", "fits"),
    [
        ("nothing asked for", web(), [on("a1")], "a1 a2 b1 none"),
        ("near: the domain of a pod that is chosen", web(affinity(near=[term()])), [on("a1")], "a1 a2"),
        ("near: by host name, the node alone", web(affinity(near=[term(key=HOST)])), [on("a1")], "a1"),
        ("near: nobody is there", web(affinity(near=[term()])), [], ""),
        ("near: other pods do not count", web(affinity(near=[term()])), [on("a1", "cache")], ""),
        ("near: pods of another namespace do not count", web(affinity(near=[term()])), [on("a1", namespace="other")], ""),
        ("near: of a namespace that is named", web(affinity(near=[term(namespaces="[other]")])), [on("a1", namespace="other")], "a1 a2"),
        ("near: a named namespace is in the place of the pod's own", web(affinity(near=[term(namespaces="[other]")])), [on("b1")], ""),
        ("near: an empty selector of namespaces means all", web(affinity(near=[term(namespaceSelector="{}")])), [on("a1", namespace="other")], "a1 a2"),
        ("near: a pod on a node without the label has no domain", web(affinity(near=[term()])), [on("none")], ""),
        ("near: both terms have to hold", web(affinity(near=[term(), term("cache")])), [on("a1"), on("b1", "cache")], ""),
        ("near: both terms hold in one domain, by different pods", web(affinity(near=[term(), term("cache", HOST)])), [on("a1"), on("a2", "cache")], ""),
        ("near: one pod that all terms choose", web(affinity(near=[term("", "zone"), term("db", HOST)])), [on("a1")], "a1"),
        ("near: the first of a group may go anywhere with the label", web(affinity(near=[term("web")])), [], "a1 a2 b1"),
        ("near: the second goes to the first", web(affinity(near=[term("web")])), [on("b1", "web")], "b1"),
        ("near: who does not choose itself is no first", web(affinity(near=[term("web"), term("db")])), [], ""),
        ("near: an empty selector chooses every pod", web(affinity(near=[term("")])), [on("b1", "cache")], "b1"),
        ("near: no selector chooses none", web(affinity(near=["{topologyKey: zone}"])), [on("b1")], ""),
        ("apart: not in the domain of a pod that is chosen", web(affinity(apart=[term()])), [on("a1")], "b1 none"),
        ("apart: by host name", web(affinity(apart=[term(key=HOST)])), [on("a1")], "a2 b1 none"),
        ("apart: a node without the label is in no domain", web(affinity(apart=[term()])), [on("a1"), on("b1")], "none"),
        ("apart: nobody is there", web(affinity(apart=[term()])), [], "a1 a2 b1 none"),
        ("apart: each term keeps away", web(affinity(apart=[term(), term("cache")])), [on("a1"), on("b1", "cache")], "none"),
        ("apart: pods of another namespace do not count", web(affinity(apart=[term()])), [on("a1", namespace="other")], "a1 a2 b1 none"),
        ("apart: from one's own kind", web(affinity(apart=[term("web", HOST)])), [on("a1", "web"), on("b1", "web")], "a2 none"),
        ("near one and apart from another", web(affinity(near=[term()], apart=[term("cache", HOST)])), [on("a1"), on("a1", "cache")], "a2"),
        ("others': a running pod keeps its domain free", web(), [on("a1", text=affinity(apart=[term("web")]))], "b1 none"),
        ("others': it does not mean this pod", spec("", app="api"), [on("a1", text=affinity(apart=[term("web")]))], "a1 a2 b1 none"),
        ("others': it means pods of its own namespace", web(), [on("a1", text=affinity(apart=[term("web")]), namespace="other")], "a1 a2 b1 none"),
        ("others': it names the pod's namespace", web(), [on("a1", text=affinity(apart=[term("web", namespaces="[default]")]), namespace="other")], "b1 none"),
        ("others': by host name", web(), [on("a1", text=affinity(apart=[term("web", HOST)]))], "a2 b1 none"),
        ("others': who wants others near asks nothing of them", web(), [on("a1", text=affinity(near=[term("web")]))], "a1 a2 b1 none"),
        ("wishes keep nobody out", web(affinity(near_wish=[wish(1, term())], apart_wish=[wish(1, term())])), [on("a1")], "a1 a2 b1 none"),
    ],
)  # fmt: skip
def test_which_nodes_fit(rule, asked, running, fits):
    """By the pods in their domains."""
    said = ask(InterPodAffinity(), asked, ZONES, running)
    assert said.fits == fits, rule
    assert set(said.why.values()) <= {NEAR, APART, REPELLED}


@pytest.mark.parametrize(
    ("rule", "asked", "running", "why"),
    [
        ("nobody to be near to", web(affinity(near=[term()])), [on("a1")], {"b1": NEAR, "none": NEAR}),
        ("somebody to be apart from", web(affinity(apart=[term(key=HOST)])), [on("b1")], {"b1": APART}),
        ("somebody who keeps away", web(), [on("b1", text=affinity(apart=[term("web")]))], {"b1": REPELLED}),
        ("near is looked at first", web(affinity(near=[term()], apart=[term("cache")])), [on("a1"), on("b1", "cache")], {"b1": NEAR, "none": NEAR}),
    ],
)  # fmt: skip
def test_what_keeps_a_pod_from_a_node(rule, asked, running, why):
    """In Kubernetes' words."""
    assert ask(InterPodAffinity(), asked, ZONES, running).why == why, rule


@pytest.mark.parametrize(
    ("rule", "asked", "running", "order"),
    [
        ("near", web(affinity(near_wish=[wish(10, term())])), [on("a1")], "a1=a2 b1=none"),
        ("apart", web(affinity(apart_wish=[wish(10, term())])), [on("a1")], "b1=none a1=a2"),
        ("each pod counts", web(affinity(near_wish=[wish(1, term())])), [on("a1"), on("b1"), on("a2")], "a1=a2 b1 none"),
        ("weights add up", web(affinity(near_wish=[wish(1, term()), wish(5, term("cache"))])), [on("a1"), on("a2"), on("b1", "cache")], "b1 a1=a2 none"),
        ("near one, apart from another", web(affinity(near_wish=[wish(2, term())], apart_wish=[wish(1, term("cache", HOST))])), [on("a1"), on("a1", "cache")], "a2 a1 b1=none"),
        ("pods of another namespace do not count", web(affinity(near_wish=[wish(10, term())])), [on("a1", namespace="other")], "a1=a2=b1=none"),
        ("others' wish to be near", web(), [on("b1", text=affinity(near_wish=[wish(10, term("web"))]))], "b1 a1=a2=none"),
        ("others' wish to be apart", web(), [on("b1", text=affinity(apart_wish=[wish(10, term("web"))]))], "a1=a2=none b1"),
        ("others' condition to be near counts as a wish", web(), [on("b1", text=affinity(near=[term("web")]))], "b1 a1=a2=none"),
        ("others' wish that means somebody else", spec("", app="api"), [on("b1", text=affinity(near_wish=[wish(10, term("web"))]))], "a1=a2=b1=none"),
        ("nobody is there", web(affinity(near_wish=[wish(10, term())])), [], "a1=a2=b1=none"),
    ],
)  # fmt: skip
def test_which_nodes_are_preferred(rule, asked, running, order):
    """By the pod's own wishes, and by those of running pods."""
    assert ask(InterPodAffinity(), asked, ZONES, running).order == order, rule


WANTS_WEB = [
    on("b1", text=affinity(near=[term("web")])),
    on("a1", "cache", text=affinity(near_wish=[wish(3, term("web"))])),
]


@pytest.mark.parametrize(
    ("rule", "args", "order"),
    [
        ("a condition of others counts 1", {}, "a1=a2 b1 none"),
        ("a condition of others counts more", {"hardPodAffinityWeight": 5}, "b1 a1=a2 none"),
        ("a condition of others does not count", {"hardPodAffinityWeight": 0}, "a1=a2 b1=none"),
        (
            "wishes of others do not count for a pod without its own, their conditions do",
            {"ignorePreferredTermsOfExistingPods": True},
            "b1 a1=a2=none",
        ),
    ],
)
def test_what_the_arguments_change(rule, args, order):
    """Running pods that want to be near this one."""
    assert ask(build_plugin("InterPodAffinity", args, "args"), web(), ZONES, WANTS_WEB).order == order, rule

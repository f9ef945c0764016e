"""PodTopologySpread: how far the numbers of pods in domains may be apart.

https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
"""

import pytest

from scheduler.core.plugins.topology_spread import PodTopologySpread
from tests.support.builders import changed, node, replica_set, taint
from tests.support.scheduler_rules import ask, nodes_of, spec

ZONES = nodes_of(a1={"zone": "a"}, a2={"zone": "a"}, b1={"zone": "b"}, none={})
SKEWED = "node(s) didn't match pod topology spread constraints"
UNLABELED = f"{SKEWED} (missing required label)"


def constraint(key="zone", skew=1, selector="{matchLabels: {app: web}}", when="DoNotSchedule", **more):
    extra = "".join(f", {name}: {value}" for name, value in more.items())
    return f"{{maxSkew: {skew}, topologyKey: {key}, whenUnsatisfiable: {when}, labelSelector: {selector}{extra}}}"


def spread(*constraints, **labels):
    return spec(f"topologySpreadConstraints: [{', '.join(constraints)}]", **(labels or {"app": "web"}))


def there(text, **fields):
    """Pods on nodes: "a1 a1 b1" are two on a1 and one on b1."""
    labels, namespace = fields.pop("labels", {"app": "web"}), fields.pop("namespace", "default")
    return [
        changed(spec(f"nodeName: {where}", f"p{number}-{namespace}", namespace, **labels), **fields)
        for number, where in enumerate(text.split())
    ]


@pytest.mark.parametrize(
    ("rule", "asked", "running", "fits"),
    [
        ("an empty cluster: every domain", spread(constraint()), [], "a1 a2 b1"),
        ("one more in a: only b", spread(constraint()), there("a1"), "b1"),
        ("domains count, not nodes", spread(constraint()), there("a1 a2"), "b1"),
        ("as many in both: both", spread(constraint()), there("a1 b1"), "a1 a2 b1"),
        ("a skew of 2 is allowed", spread(constraint(skew=2)), there("a1"), "a1 a2 b1"),
        ("a skew of 2, and no more", spread(constraint(skew=2)), there("a1 a2"), "b1"),
        ("pods that the selector does not choose do not count", spread(constraint()), there("a1", labels={"app": "db"}), "a1 a2 b1"),
        ("pods of another namespace do not count", spread(constraint()), there("a1", namespace="other"), "a1 a2 b1"),
        ("pods that are being deleted do not count", spread(constraint()), there("a1", metadata__deletionTimestamp="2026-01-01T00:00:00Z"), "a1 a2 b1"),
        ("pods on nodes without the label do not count", spread(constraint()), there("none"), "a1 a2 b1"),
        ("a pod that the selector does not choose adds nothing to the domain", spread(constraint(), app="db"), there("a1"), "a1 a2 b1"),
        ("a pod that the selector does not choose, where the skew is too large already", spread(constraint(), app="db"), there("a1 a2"), "b1"),
        ("by host name: nodes are domains", spread(constraint("kubernetes.io/hostname")), there("a1"), "a2 b1 none"),
        ("an empty selector chooses all pods of the namespace", spread(constraint(selector="{}")), there("a1", labels={"app": "db"}), "b1"),
        ("no selector chooses none", spread("{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}"), there("a1 a1 a1"), "a1 a2 b1"),
        ("matchExpressions", spread(constraint(selector="{matchExpressions: [{key: app, operator: In, values: [web, api]}]}")), there("a1", labels={"app": "api"}), "b1"),
        ("matchLabelKeys: pods of other revisions do not count", spread(constraint(matchLabelKeys="[rev]"), app="web", rev="2"), there("a1", labels={"app": "web", "rev": "1"}), "a1 a2 b1"),
        ("matchLabelKeys: pods of the same revision do", spread(constraint(matchLabelKeys="[rev]"), app="web", rev="2"), there("a1", labels={"app": "web", "rev": "2"}), "b1"),
        ("matchLabelKeys: a key that the pod lacks is left out", spread(constraint(matchLabelKeys="[rev]")), there("a1", labels={"app": "web", "rev": "1"}), "b1"),
        ("two constraints have to hold together", spread(constraint(), constraint("kubernetes.io/hostname")), there("a1 b1"), "a2"),
        ("two constraints: a domain counts where both labels are", spread(constraint(), constraint("rack")), [], ""),
        ("minDomains: fewer domains count as an empty one", spread(constraint(minDomains="3")), there("a1 b1"), ""),
        ("minDomains: an empty cluster takes one each", spread(constraint(minDomains="3")), [], "a1 a2 b1"),
        ("minDomains: as many as there are changes nothing", spread(constraint(minDomains="2")), there("a1 b1"), "a1 a2 b1"),
        ("nodeAffinityPolicy Honor is the default: domains that the pod cannot use do not count", spec(f"nodeSelector: {{zone: a}}\ntopologySpreadConstraints: [{constraint()}]", app="web"), there("a1"), "a1 a2 b1"),
        ("nodeAffinityPolicy Ignore: they do", spec(f"nodeSelector: {{zone: a}}\ntopologySpreadConstraints: [{constraint(nodeAffinityPolicy='Ignore')}]", app="web"), there("a1"), "b1"),
        ("preferences keep nobody out", spread(constraint(when="ScheduleAnyway")), there("a1 a1 a1"), "a1 a2 b1 none"),
    ],
)  # fmt: skip
def test_which_nodes_fit(rule, asked, running, fits):
    """Those of domains that do not get too far ahead of the emptiest."""
    said = ask(PodTopologySpread(), asked, ZONES, running)
    assert said.fits == fits, rule
    assert set(said.why.values()) <= {SKEWED, UNLABELED}


def test_a_node_without_the_label_says_so():
    """And a domain that is too full, what it is."""
    said = ask(PodTopologySpread(), spread(constraint()), ZONES, there("a1"))
    assert said.why == {"a1": SKEWED, "a2": SKEWED, "none": UNLABELED}


TAINTED = [*nodes_of(a={"zone": "a"}), node("b", labels={"zone": "b"}, taints=[taint("gpu")])]


@pytest.mark.parametrize(
    ("rule", "policy", "fits"),
    [
        ("nodeTaintsPolicy Ignore is the default: tainted nodes count", {}, "b"),
        ("nodeTaintsPolicy Ignore", {"nodeTaintsPolicy": "Ignore"}, "b"),
        (
            "nodeTaintsPolicy Honor: domains with a taint that is not tolerated do not count",
            {"nodeTaintsPolicy": "Honor"},
            "a b",
        ),
    ],
)
def test_whether_tainted_nodes_count(rule, policy, fits):
    """One pod in the domain without a taint."""
    assert ask(PodTopologySpread(), spread(constraint(**policy)), TAINTED, there("a")).fits == fits, rule


SOFT = {"when": "ScheduleAnyway"}


@pytest.mark.parametrize(
    ("rule", "asked", "running", "order"),
    [
        ("nobody is anywhere", spread(constraint(**SOFT)), [], "a1=a2=b1 none"),
        ("the emptier domain first", spread(constraint(**SOFT)), there("a1"), "b1 a1=a2=none"),
        ("domains count, not nodes", spread(constraint(**SOFT)), there("a1 a2 b1"), "b1 a1=a2 none"),
        ("by host name", spread(constraint("kubernetes.io/hostname", **SOFT)), there("a1 a1 a2"), "b1=none a2 a1"),
        ("two wishes add up", spread(constraint(**SOFT), constraint("kubernetes.io/hostname", **SOFT)), there("a1"), "b1 a2 a1=none"),
        ("pods that the selector does not choose do not count", spread(constraint(**SOFT)), there("a1", labels={"app": "db"}), "a1=a2=b1 none"),
        ("pods of another namespace do not count", spread(constraint(**SOFT)), there("a1", namespace="other"), "a1=a2=b1 none"),
        ("a wish and a condition", spread(constraint(), constraint("kubernetes.io/hostname", **SOFT)), there("b1 a1"), "a2 a1=b1"),
        ("matchLabelKeys", spread(constraint(**SOFT, matchLabelKeys="[rev]"), app="web", rev="2"), there("a1", labels={"app": "web", "rev": "1"}), "a1=a2=b1 none"),
    ],
)  # fmt: skip
def test_which_nodes_are_preferred(rule, asked, running, order):
    """Those of domains with fewer pods; one without a label that a wish names has nothing, and so has the fullest where one is empty."""
    assert ask(PodTopologySpread(), asked, ZONES, running).order == order, rule


BY_DEFAULT = nodes_of(
    a={"topology.kubernetes.io/zone": "a"},
    b={"topology.kubernetes.io/zone": "b"},
    c={"topology.kubernetes.io/zone": "b"},
)


@pytest.mark.parametrize(
    ("rule", "asked", "owned", "running", "order"),
    [
        ("the replicas of a set are spread by zone and host", spec("", app="web"), True, there("b"), "a c b"),
        ("a pod that stands alone is not", spec("", app="web"), False, there("b"), "a=b=c"),
        ("one that has its own constraints has no others", spread(constraint("kubernetes.io/hostname", **SOFT)), True, there("b"), "a=c b"),
    ],
)  # fmt: skip
def test_what_is_spread_by_default(rule, asked, owned, running, order):
    """Pods of a Service or a set, as a wish only."""
    from machinery.model.owners import owner_reference

    owner = replica_set("web", labels={"app": "web"})
    pod = changed(asked, metadata__ownerReferences=[owner_reference(owner)]) if owned else asked
    said = ask(
        PodTopologySpread(), pod, BY_DEFAULT, running, lambda snapshot: snapshot.owners.set_replica_set(owner)
    )
    assert said.order == order, rule

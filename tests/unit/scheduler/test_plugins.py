"""Each plugin's rule by itself."""

from dataclasses import replace

import pytest

from machinery.model.k8s.core_v1 import (
    Affinity,
    ContainerImage,
    ContainerPort,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PreferredSchedulingTerm,
    TopologySpreadConstraint,
)
from machinery.model.k8s.meta_v1 import LabelSelector
from scheduler.core import normalize, spread
from scheduler.core.needs import normalized_image
from scheduler.core.node import NodeInfo
from scheduler.core.plugins import (
    balanced_allocation,
    image_locality,
    node_affinity,
    node_name,
    node_ports,
    node_resources_fit,
    node_unschedulable,
    scheduling_gates,
    taint_toleration,
)
from scheduler.core.pod import PodReader
from scheduler.core.snapshot import Snapshot
from tests.support.builders import changed, container, node, pod, taint, toleration

MIB = 1024 * 1024


def expression(key, operator, *values):
    return NodeSelectorRequirement(key=key, operator=operator, values=list(values))


def term(*expressions, fields=()):
    return NodeSelectorTerm(matchExpressions=list(expressions), matchFields=list(fields))


def described(*pods, **fields):
    info = NodeInfo("node-1", 0)
    info.describe(node(**fields))
    for each in pods:
        info.add(PodReader().read(each))
    return info


def needs(**fields):
    return PodReader().read(pod(**fields)).needs


def test_a_cordoned_node_takes_only_pods_that_tolerate_the_cordon():
    """Toleration of node.kubernetes.io/unschedulable opens it."""
    cordoned = described(unschedulable=True)
    assert node_unschedulable.fits(needs(), described())
    assert not node_unschedulable.fits(needs(), cordoned)
    tolerant = needs(tolerations=[toleration("node.kubernetes.io/unschedulable")])
    assert node_unschedulable.fits(tolerant, cordoned)


def test_a_pod_that_names_a_node_fits_there_only():
    """A pod that names none fits everywhere."""
    assert node_name.fits(needs(), described())
    assert node_name.fits(replace(needs(), node_name="node-1"), described())
    assert not node_name.fits(replace(needs(), node_name="node-2"), described())


@pytest.mark.parametrize("effect", ["NoSchedule", "NoExecute"])
def test_taints_bar_who_does_not_tolerate_them(effect):
    """NoSchedule and NoExecute bar, PreferNoSchedule does not."""
    barred = described(taints=[taint("gpu", effect)])
    assert not taint_toleration.fits(needs(), barred)
    assert taint_toleration.fits(needs(tolerations=[toleration("gpu")]), barred)
    assert taint_toleration.fits(needs(), described(taints=[taint("gpu", "PreferNoSchedule")]))


def test_only_taints_of_preference_cost_points():
    """Those that are tolerated cost none."""
    taints = [taint("a", "PreferNoSchedule"), taint("b", "PreferNoSchedule"), taint("c")]
    tolerant = needs(tolerations=[toleration("a")])
    assert taint_toleration.count_avoided(tolerant, described(taints=taints)) == 1


def test_a_pod_fits_on_the_nodes_that_its_selector_and_its_affinity_name():
    """By their labels."""
    picky = needs(
        nodeSelector={"disk": "ssd"},
        affinity=Affinity(
            nodeAffinity=NodeAffinity(
                requiredDuringSchedulingIgnoredDuringExecution=NodeSelector(
                    nodeSelectorTerms=[term(expression("a", "Exists"))]
                )
            )
        ),
    )
    assert node_affinity.fits(picky, described(labels={"a": "", "disk": "ssd"}))
    assert not node_affinity.fits(picky, described(labels={"disk": "ssd"}))
    assert not node_affinity.fits(picky, described(labels={"a": ""}))


def test_weights_of_preferred_terms_add_up():
    """Only those that match count."""
    affinity = NodeAffinity(
        preferredDuringSchedulingIgnoredDuringExecution=[
            PreferredSchedulingTerm(weight=10, preference=term(expression("a", "Exists"))),
            PreferredSchedulingTerm(weight=5, preference=term(expression("b", "Exists"))),
            PreferredSchedulingTerm(weight=1, preference=term(expression("c", "Exists"))),
        ]
    )
    preferring = needs(affinity=Affinity(nodeAffinity=affinity))
    assert node_affinity.preference(preferring, described(labels={"a": "", "c": ""})) == 11


def test_host_ports_are_kept_apart_by_protocol():
    """TCP 53 and UDP 53 are two ports; a pod on the node's network uses its container ports."""
    tcp = container(ports=[ContainerPort(containerPort=53, hostPort=53)])
    udp = container(ports=[ContainerPort(containerPort=53, hostPort=53, protocol="UDP")])
    info = described(pod(node="node-1", containers=[tcp]))
    assert not node_ports.fits(needs(containers=[tcp]), info)
    assert node_ports.fits(needs(containers=[udp]), info)
    plain = container(ports=[ContainerPort(containerPort=53)])
    assert node_ports.fits(needs(containers=[plain]), info)
    assert not node_ports.fits(needs(containers=[plain], hostNetwork=True), info)


def test_what_is_short_is_named_and_what_the_node_lacks_cannot_be_freed():
    """All reasons at once; a request above the whole node is no matter of other pods."""
    info = described(pod(node="node-1", requests={"cpu": "3", "memory": "1Gi"}), cpu="4", memory="8Gi")
    assert node_resources_fit.fits(needs(requests={"cpu": "1"}), info)
    short = node_resources_fit.explain(needs(requests={"cpu": "2", "memory": "7900Mi"}), info)
    assert short.reasons == ("Insufficient cpu", "Insufficient memory")
    assert short.resolvable
    assert not node_resources_fit.explain(needs(requests={"cpu": "5"}), info).resolvable
    gpu = node_resources_fit.explain(needs(requests={"example.com/gpu": "1"}), info)
    assert gpu.reasons == ("Insufficient example.com/gpu",)
    assert not gpu.resolvable


def test_a_full_node_takes_no_pod_that_asks_for_nothing():
    """The number of pods is a resource, too."""
    info = described(pod(node="node-1"), pods="1")
    assert not node_resources_fit.fits(needs(), info)
    assert node_resources_fit.explain(needs(), info).reasons == ("Too many pods",)


def test_a_pod_that_asks_for_nothing_fits_an_overcommitted_node():
    """Somebody else's excess is not its own."""
    info = described(pod(node="node-1", requests={"cpu": "9"}), cpu="4")
    assert node_resources_fit.fits(needs(requests={"memory": "1Gi"}), info)


def test_least_allocated_counts_what_is_left():
    """100m and 200Mi stand for containers that ask for nothing."""
    info = described(cpu="1", memory="1000Mi")
    assert node_resources_fit.least_allocated(needs(requests={"cpu": "500m", "memory": "500Mi"}), info) == 50
    assert node_resources_fit.least_allocated(needs(), info) == (90 + 80) // 2
    assert node_resources_fit.least_allocated(needs(requests={"cpu": "1", "memory": "1000Mi"}), info) == 0


def test_balance_is_best_where_cpu_and_memory_are_used_alike():
    """Half the difference of the shares is missing to 100; who asks for nothing gets nothing."""
    info = described(cpu="1", memory="1000Mi")
    alike = needs(requests={"cpu": "500m", "memory": "500Mi"})
    assert balanced_allocation.balance(alike, info) == 100
    lopsided = needs(requests={"cpu": "1"})
    assert balanced_allocation.balance(lopsided, info) == 50
    assert balanced_allocation.balance(needs(), info) == 0


def test_images_count_by_size_and_by_share_of_nodes():
    """Below 23 MiB nothing, from 1000 MiB for each container everything."""
    sizes = {"app:1": 523 * MIB, "big:1": 5000 * MIB}
    assert image_locality.locality(["app:1"], sizes, {"app:1": 1.0}) == 51
    assert image_locality.locality(["app:1"], sizes, {"app:1": 0.04}) == 0
    assert image_locality.locality(["big:1"], sizes, {"big:1": 1.0}) == 100
    assert image_locality.locality(["app:1"], {}, {}) == 0
    assert image_locality.locality([], sizes, {}) == 0


def test_nodes_are_rated_anew_only_where_a_share_makes_a_difference():
    """A small image makes none, whoever pulls it; a large one does from the share on where it counts."""
    snapshot = Snapshot()
    for number in range(40):
        snapshot.set_node(node(f"n{number}"))
    plugin = image_locality.ImageLocality()
    small, large = plugin.score(("small:1",), snapshot), plugin.score(("large:1",), snapshot)
    assert small.renew is not None
    assert large.renew is not None
    before = 0
    for number in range(40):
        images = [
            ContainerImage(names=["small:1"], sizeBytes=20 * MIB),
            ContainerImage(names=["large:1"], sizeBytes=600 * MIB),
        ]
        snapshot.set_node(changed(node(f"n{number}"), status__images=images))
        first = snapshot.node("n0")
        assert first is not None
        expected = image_locality.locality(["large:1"], first.images, {"large:1": (number + 1) / 40})
        assert (small.renew(), small.rate(first)) == (False, 0)
        assert (large.renew(), large.rate(first)) == (expected != before, expected)
        before = expected
    assert before == 59


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("nginx", "nginx:latest"),
        ("nginx:1", "nginx:1"),
        ("registry:5000/nginx", "registry:5000/nginx:latest"),
        ("a@sha256:00", "a@sha256:00"),
    ],
)
def test_images_are_compared_with_their_tag(name, listed):
    """A registry's port is no tag."""
    assert normalized_image(name) == listed


def test_gates_hold_a_pod_back():
    """All of them are named."""
    assert scheduling_gates.is_open(())
    assert not scheduling_gates.is_open(("a",))
    assert scheduling_gates.message(("a", "b")) == "waiting for scheduling gates: [a b]"


def test_raw_scores_are_normalized_by_the_highest():
    """Where all are 0, nobody is better than another."""
    assert [normalize.more_is_better(raw, 0, 4) for raw in (0, 1, 4)] == [0, 25, 100]
    assert [normalize.less_is_better(raw, 0, 4) for raw in (0, 1, 4)] == [100, 75, 0]
    assert normalize.more_is_better(0, 0, 0) == 0
    assert normalize.less_is_better(0, 0, 0) == 100


def read(labels, *, defaults=None, **fields):
    constraint = TopologySpreadConstraint(
        **{
            "topologyKey": "zone",
            "maxSkew": 1,
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": LabelSelector(matchLabels={"app": "web"}),
            **fields,
        }
    )
    return spread.read_spread([constraint], labels, defaults)


def test_constraints_are_read_with_their_defaults():
    """Affinity is honored and taints are not, unless it says otherwise."""
    (constraint,) = read({"app": "web"}).hard
    assert constraint.counts_itself
    assert constraint.min_domains == 1
    assert constraint.honors_affinity
    assert not constraint.honors_taints
    (other,) = read({}, nodeAffinityPolicy="Ignore", nodeTaintsPolicy="Honor", minDomains=3).hard
    assert not other.counts_itself
    assert (other.min_domains, other.honors_affinity, other.honors_taints) == (3, False, True)
    assert read({}, whenUnsatisfiable="ScheduleAnyway").hard == ()


def test_match_label_keys_narrow_the_selector_to_the_pods_own_values():
    """A key that the pod lacks is left out."""
    (constraint,) = read({"app": "web", "rev": "2"}, matchLabelKeys=["rev", "none"]).hard
    assert constraint.matcher.matches({"app": "web", "rev": "2"})
    assert not constraint.matcher.matches({"app": "web", "rev": "1"})


def test_a_pod_that_stands_alone_is_not_spread():
    """The system's defaults need a Service or a ReplicaSet."""
    assert spread.read_spread([], {"app": "web"}, None) == spread.NOTHING


def test_skew_is_measured_against_the_emptiest_domain():
    """The pod itself counts if it is one of those that are spread."""
    (constraint,) = read({"app": "web"}).hard
    assert not spread.is_skewed(constraint, 1, 1)
    assert spread.is_skewed(constraint, 2, 1)
    (stranger,) = read({}).hard
    assert not spread.is_skewed(stranger, 2, 1)


def test_too_few_domains_count_as_an_empty_one():
    """So that minDomains makes pods wait for more domains."""
    (constraint,) = read({"app": "web"}, minDomains=3).hard
    assert spread.least_matching(constraint, 4, 2) == 0
    assert spread.least_matching(constraint, 4, 3) == 4

"""What the user asked of `up`, compared with the cluster that there is."""

from __future__ import annotations

from typing import Any

import pytest

from kubarium.core.options.differences import differences
from kubarium.core.options.options import Options
from kubarium.core.options.up_options import OPTIONS, UpOptions
from kubarium.core.spec_rules import ZONE, SpecError

RUNNING = Options.of(nodes=2, cpu="500m", apiservers=2, time_scale=20.0).new_spec("t", "hollow")


def test_what_nobody_said_is_the_default():
    """Three nodes, one process of each program, Kubernetes' own pace."""
    spec = Options.of().new_spec("t")
    assert [node.name for node in spec.nodes] == ["node-1", "node-2", "node-3"]
    assert (spec.etcd, spec.apiservers, spec.profile, spec.time_scale) == (1, 1, "default", 1.0)


@pytest.mark.parametrize(
    "asked",
    [{}, {"runtime": "auto"}, {"runtime": "hollow"}, {"nodes": 2}, {"cpu": "500m"}, {"apiservers": 2, "time_scale": 20.0},
     {"api_port": 6443}, {"api_port": 0}, {"profile": "default"}, {"nodes": 5}],
)  # fmt: skip
def test_a_cluster_that_has_what_was_asked_for_differs_in_nothing(asked: dict[str, Any]):
    """What was not said agrees with everything, and nodes can be added."""
    assert differences(Options.of(**asked), RUNNING) == []


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"profile": "fast"}, "--profile fast (it has default)"),
        ({"time_scale": 1.0}, "--time-scale 1 (it has 20)"),
        ({"runtime": "docker"}, "--runtime docker (it has hollow)"),
        ({"api_port": 7000}, "--api-port 7000 (it has 6443)"),
        ({"etcd": 3}, "--etcd 3 (it has 1)"),
        ({"apiservers": 1}, "--apiservers 1 (it has 2)"),
        ({"cpu": "2"}, "--cpu 2 (it has 500m)"),
        ({"memory": "1Gi"}, "--memory 1Gi (it has the machine's)"),
        ({"nodes": 1}, "--nodes 1 (it has 2); `kubarium node rm` removes one"),
    ],
)
def test_what_a_cluster_does_not_have_is_named(asked: dict[str, Any], words: str):
    """With the flag, what was asked for and what there is."""
    assert differences(Options.of(**asked), RUNNING) == [words]


MARKED = Options.of(
    nodes=3,
    labels={"tier": "gold"},
    taints=("gpu=yes:NoSchedule",),
    kubelet_args={"log-level": "debug"},
    zones=("a", "b"),
).new_spec("t")


def test_nodes_have_the_labels_taints_and_zones_that_were_asked_for():
    """Zones in turn, also for those that are added later."""
    assert [node.labels[ZONE] for node in MARKED.nodes] == ["a", "b", "a"]
    assert {node.labels["tier"] for node in MARKED.nodes} == {"gold"}
    assert {node.taints for node in MARKED.nodes} == {("gpu=yes:NoSchedule",)}
    assert [node.kubelet_args for node in MARKED.nodes] == [{"log-level": "debug"}] * 3
    assert Options.of(nodes=4, zones=("a", "b")).extended(MARKED).nodes[-1].labels[ZONE] == "b"


def test_labels_and_taints_that_a_node_lacks_are_named():
    """With the first node that lacks each."""
    asked = Options.of(
        labels={"tier": "iron"}, taints=("a:NoExecute",), kubelet_args={"log-level": "info"}, zones=("a", "b")
    )
    assert differences(asked, MARKED) == [
        "--label tier=iron (node-1 does not have it)",
        "--taint a:NoExecute (node-1 does not have it)",
        "--kubelet-arg log-level=info (node-1 does not have it)",
    ]
    assert differences(Options.of(zones=("a",)), MARKED) == [f"--label {ZONE}=a (node-2 does not have it)"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"labels": {"a b": "c"}}, '--label: "a b=c"'),
        ({"labels": {"a": "-"}}, '--label: "a=-"'),
        ({"labels": {"kubernetes.io/hostname": "x"}}, "--label: .* kept for administrators"),
        ({"labels": {"node-role.kubernetes.io/worker": ""}}, "--label: .* kept for administrators"),
        ({"kubelet_args": {"cpu": "2"}}, '--kubelet-arg: "cpu" is no flag to hand on .there are: allowed-'),
        ({"taints": ("a",)}, "--taint: .* no taint"),
        ({"taints": ("a=b:Never",)}, "--taint: .* no taint"),
        ({"taints": ("=b:NoSchedule",)}, "--taint: .* no taint"),
        ({"zones": ("a b",)}, "--label: "),
    ],
)
def test_labels_and_taints_that_cannot_be_are_refused(asked: dict[str, Any], words: str):
    """Before a kubelet would be refused by the apiserver, for ever."""
    with pytest.raises(SpecError, match=f"^{words}"):
        Options.of(**asked).new_spec("t")


def test_a_kubelet_may_say_where_it_is():
    """Of Kubernetes' own labels those of topology and of kubelets."""
    labels = {
        ZONE: "a",
        "topology.kubernetes.io/region": "r",
        "node.kubernetes.io/x": "",
        "example.com/k8s.io": "y",
    }
    assert Options.of(labels=labels).new_spec("t").nodes[0].labels == labels


def test_several_differences_are_all_named():
    """Whoever mends one does not have to come back for the next."""
    assert len(differences(Options.of(profile="fast", etcd=3, nodes=1), RUNNING)) == 3


def test_nodes_that_are_missing_are_added_with_what_they_declare():
    """Those that are there stay as they are."""
    asked = Options.of(nodes=4, cpu="500m")
    assert len(list(asked.missing_nodes(RUNNING))) == 2
    spec = asked.extended(RUNNING)
    assert [node.name for node in spec.nodes] == ["node-1", "node-2", "node-3", "node-4"]
    assert {node.cpu for node in spec.nodes} == {"500m"}
    assert Options.of().extended(RUNNING) == RUNNING


@pytest.mark.parametrize(
    ("asked", "flag"),
    [({"cpu": "abc"}, "--cpu"), ({"time_scale": -1.0}, "--time-scale"), ({"time_scale": float("nan")}, "--time-scale"),
     ({"time_scale": 41.0}, "--time-scale"), ({"time_scale": 9.0, "profile": "fast"}, "--time-scale"),
     ({"runtime": "rkt"}, "--runtime"), ({"profile": "slow"}, "--profile"), ({"nodes": -1}, "--nodes"), ({"etcd": 2}, "--etcd"),
     ({"apiservers": 0}, "--apiservers"), ({"nodes": "many"}, "--nodes"), ({"time_scale": "fast"}, "--time-scale")],
)  # fmt: skip
def test_what_no_cluster_can_be_is_refused(asked: dict[str, Any], flag: str):
    """Whether there is one or not."""
    with pytest.raises(SpecError, match=f"^{flag}: "):
        Options.of(**asked).new_spec("t")


def test_an_option_that_there_is_not_is_refused():
    """Keywords of `Cluster.up` come here as they were written."""
    misspelt: dict[str, Any] = {"node": 3}
    with pytest.raises(TypeError, match="there is no option 'node'"):
        Options.of(**misspelt)


def test_every_option_is_a_flag_a_field_or_for_tests():
    """An option that has no description is in no `--help`."""
    assert UpOptions.__annotations__.keys() - OPTIONS.keys() == {"check_invariants"}


def test_what_is_none_was_not_said():
    """A caller hands on what it has, and lists can change afterwards."""
    zones = ["a"]
    asked = Options.of(mtu=None, zones=zones)
    zones.append("b")
    assert asked.said == {"zones": ("a",)}

"""What a user may ask of `kubarium up`."""

from __future__ import annotations

import msgspec
import pytest

from kubarium.core.spec import ClusterSpec, checked
from kubarium.core.spec_rules import SpecError


def three_nodes() -> ClusterSpec:
    spec = ClusterSpec()
    for _ in range(3):
        spec = spec.with_node()
    return spec


def test_nodes_are_numbered_from_one():
    """Nodes without a name are called node-1, node-2 and so on."""
    assert [node.name for node in three_nodes().nodes] == ["node-1", "node-2", "node-3"]


def test_an_index_is_never_used_twice():
    """A node that follows a removed one gets a place, and so an address, of its own."""
    spec = three_nodes().without_node("node-3").with_node()
    assert spec.nodes[-1].index == 4


def test_a_known_node_name_is_refused():
    """Two nodes of one name cannot be."""
    with pytest.raises(SpecError, match='already has a node "node-2"'):
        three_nodes().with_node("node-2")


def test_no_node_is_called_as_a_hollow_one():
    """Each is meant by its name."""
    with pytest.raises(SpecError, match="already has a node"):
        ClusterSpec(hollow_nodes=2).with_node("hollow-0002")
    assert ClusterSpec(hollow_nodes=2).with_node("hollow-0003").nodes


def test_nothing_real_goes_to_a_hollow_node_that_does_not_say_so():
    """Beside real nodes; among simulated ones there is no difference."""
    assert ClusterSpec().taints_of_hollow_nodes == ("kubarium.dev/runtime=hollow:NoSchedule",)
    assert ClusterSpec(runtime="hollow").taints_of_hollow_nodes == ()
    assert ClusterSpec(hollow_taints=("none",)).taints_of_hollow_nodes == ()
    assert ClusterSpec(hollow_taints=("a=b:NoExecute",)).taints_of_hollow_nodes == ("a=b:NoExecute",)


def test_an_unknown_node_is_named_with_those_that_exist():
    """The message for a wrong node name lists the right ones."""
    with pytest.raises(SpecError, match=r"no node \"node-9\" \(it has: node-1, node-2, node-3\)"):
        three_nodes().without_node("node-9")


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        ({"name": "Upper"}, "--name"),
        ({"name": "x" * 25}, "--name"),
        ({"time_scale": 0.0}, "--time-scale"),
        ({"time_scale": -1.0}, "--time-scale"),
        ({"api_port": 65530}, "--api-port"),
        ({"mtu": 575}, "--mtu"),
        ({"mtu": 9217}, "--mtu"),
        ({"process_memory": "128Mi"}, "--process-memory"),
        ({"process_memory": "much"}, "--process-memory"),
        ({"hollow_nodes": 10_001}, "--hollow-nodes"),
        ({"hollow_nodes": 1, "listen": "192.0.2.1"}, "--hollow-nodes"),
        ({"hollow_pods": 251}, "--hollow-pods"),
        ({"hollow_cpu": "many"}, "--hollow-cpu"),
        ({"hollow_memory": "0"}, "--hollow-memory"),
        ({"hollow_taints": ("no effect",)}, "--hollow-taint"),
    ],
)
def test_a_bad_value_names_its_flag(change, flag):
    """What cannot be is refused with the flag that asked for it."""
    with pytest.raises(SpecError, match=f"^{flag}"):
        checked(msgspec.structs.replace(ClusterSpec(), **change))


@pytest.mark.parametrize(
    ("cpu", "memory", "flag"),
    [
        ("two", "", "--cpu"),
        ("", "4 GB", "--memory"),
        ("0", "", "--cpu"),
        ("0m", "", "--cpu"),
        ("", "0.0Gi", "--memory"),
    ],
)
def test_a_bad_capacity_names_its_flag(cpu, memory, flag):
    """A capacity that is no quantity, or nothing, is refused."""
    with pytest.raises(SpecError, match=f"^{flag}"):
        ClusterSpec().with_node(cpu=cpu, memory=memory)


def test_a_spec_survives_its_file():
    """What is written to spec.json is read back equal."""
    spec = three_nodes().with_node("big", cpu="4", memory="8Gi")
    assert msgspec.json.decode(msgspec.json.encode(spec), type=ClusterSpec) == spec

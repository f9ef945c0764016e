"""The cluster file: what it asks for, and how it is told what is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kubarium.cluster_file import read_cluster_text
from kubarium.core.cluster_file import ClusterFile, FileError, field_names
from kubarium.core.options.differences import differences
from kubarium.core.options.options import Options
from kubarium.core.spec import ClusterSpec
from kubarium.core.spec_rules import ZONE

ROOT = Path(__file__).parents[3]
HEAD = "apiVersion: kubarium.dev/v1alpha1\nkind: Cluster\n"


def read(body: str) -> ClusterFile:
    return read_cluster_text(HEAD + body)


def refusal(text: str) -> str:
    with pytest.raises(FileError) as refused:
        read_cluster_text(text)
    return str(refused.value)


def test_a_document_without_more_is_the_default_cluster():
    """What a file does not say is as `up` has it."""
    assert read("").options == Options.of()


def test_every_field_becomes_what_the_options_say():
    """The whole of it, once."""
    body = """
name: shop
runtime: hollow
profile: fast
timeScale: 8
apiPort: 7000
registryPort: 5001
mtu: 1400
listen: 192.0.2.1
cniConf: ptp.conflist
accessLog: true
controlPlane: {etcd: 3, apiservers: 2, schedulers: 3, controllers: 4}
nodes:
- {count: 2, cpu: 0.5, memory: 1Gi}
- {name: big, zone: west, labels: {tier: gold}, taints: ["gpu=yes:NoSchedule", "slow:NoExecute"],
   kubeletExtraArgs: {container-log-max-size: 1Mi, container-log-max-files: 3, allowed-unsafe-sysctls: "kernel.msg*"}}
"""
    document = read(body)
    assert document.name == "shop"
    spec = document.options.new_spec("shop", "hollow")
    assert (spec.profile, spec.time_scale, spec.api_port) == ("fast", 8.0, 7000)
    assert spec.access_log
    assert (spec.registry_port, spec.registry) == (5001, "localhost:5001")
    assert (spec.mtu, spec.listen, spec.cni_conf) == (1400, "192.0.2.1", "ptp.conflist")
    assert (spec.etcd, spec.apiservers, spec.schedulers, spec.controllers) == (3, 2, 3, 4)
    assert [(node.name, node.cpu, node.memory) for node in spec.nodes] == [
        ("node-1", "0.5", "1Gi"),
        ("node-2", "0.5", "1Gi"),
        ("big", "", ""),
    ]
    assert spec.nodes[2].labels == {"tier": "gold", ZONE: "west"}
    assert spec.nodes[2].taints == ("gpu=yes:NoSchedule", "slow:NoExecute")
    assert [node.kubelet_args for node in spec.nodes] == [
        {},
        {},
        {
            "container-log-max-size": "1Mi",
            "container-log-max-files": "3",
            "allowed-unsafe-sysctls": "kernel.msg*",
        },
    ]


def test_json_is_yaml():
    """Programs write it so."""
    text = '{"apiVersion": "kubarium.dev/v1alpha1", "kind": "Cluster", "nodes": []}'
    assert read_cluster_text(text).options.new_spec("t").nodes == ()


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ("size: 3", "3: size: there is no such field (it has: apiVersion, kind, name, "),
        ("nodes:\n- cpus: 2", "4: nodes[0].cpus: there is no such field (it has: name, count, "),
        ("controlPlane:\n  etcds: 1", "4: controlPlane.etcds: there is no such field (it has: etcd, "),
        ("name: a\nruntime: hollow\nname: b", "5: name: is there twice"),
        ("nodes:\n- labels:\n    a: b\n    a: c", "6: nodes[0].labels.a: is there twice"),
        ("name: Shop", '3: name: "Shop" has to be lower-case'),
        ("name: 7", '3: name: has to be text, not 7 (write "7")'),
        ("runtime: rkt", "3: runtime: has to be one of auto, docker, hollow, not 'rkt'"),
        ("profile: slow", "3: profile: has to be one of default, fast, not 'slow'"),
        ("timeScale: fast", '3: timeScale: has to be a number, not "fast"'),
        ("timeScale: -1", "3: timeScale: has to be above 0"),
        ("timeScale: .nan", "3: timeScale: has to be above 0"),
        ("timeScale: yes", "3: timeScale: has to be a number, not yes"),
        ("timeScale: 41", "3: timeScale: has to be above 0 and at most 40 (with the profile default)"),
        ("timeScale: 9\nprofile: fast", "3: timeScale: has to be above 0 and at most 8 (with the profile fast)"),
        ("timeScale: 1" + "0" * 400, "3: timeScale: is too large"),
        ("apiPort: 70000", "3: apiPort: has to be a port below"),
        ("apiPort: 6443.5", "3: apiPort: has to be a whole number, not 6443.5"),
        ("accessLog: 1", "3: accessLog: has to be true or false, not 1"),
        ("registryPort: 70000", "3: registryPort: has to be a port"),
        ("mtu: 100", "3: mtu: has to be from 576 to 9216 bytes, not 100"),
        ("controlPlane:\n  etcd: 2", "4: controlPlane.etcd: has to be 1 or 3 members"),
        ("controlPlane:\n  apiservers: 10", "4: controlPlane.apiservers: has to be from 1 to 9"),
        ("controlPlane: 3", "3: controlPlane: has to be fields with values, not 3"),
        ("hollowNodes: 3", "3: hollowNodes: has to be fields with values, not 3"),
        ("hollowNodes:\n  count: 10001", "4: hollowNodes.count: has to be from 0 to 10000, not 10001"),
        ("hollowNodes:\n  cpu: 0", "4: hollowNodes.cpu: has to be above 0"),
        ("hollowNodes:\n  pods: 251", "4: hollowNodes.pods: has to be from 1 to 250, not 251"),
        ("hollowNodes:\n  taints:\n  - a", "5: hollowNodes.taints[0]: "),
        ("hollowNodes:\n  zone: a", "4: hollowNodes.zone: there is no such field (it has: count, "),
        ("nodes: 3", "3: nodes: has to be a list, not 3"),
        ("nodes:\n- node-1", '4: nodes[0]: has to be fields with values, not "node-1"'),
        ("nodes:\n- cpu: 2\n- memory: lots", '5: nodes[1].memory: "lots" is no quantity'),
        ("nodes:\n- cpu: 0", "4: nodes[0].cpu: has to be above 0"),
        ("nodes:\n- count: 0", "4: nodes[0].count: has to be from 1 to 200"),
        ("nodes:\n- count: 201", "4: nodes[0].count: has to be from 1 to 200"),
        ("nodes:\n- count: 200\n- cpu: 1", "5: nodes[1]: a cluster has at most 200 nodes"),
        ("nodes:\n- name: a\n  count: 2", "4: nodes[0].count: a node that has a name is one node"),
        ("nodes:\n- name: a\n- name: a", '5: nodes[1]: cluster "kubarium" already has a node "a"'),
        ("nodes:\n- name: A", '4: nodes[0].name: "A" has to be lower-case'),
        ("nodes:\n- zone: a b", '4: nodes[0].zone: "topology.kubernetes.io/zone=a b"'),
        ("nodes:\n- labels:\n    a: true", '5: nodes[0].labels.a: has to be text, not true (write "true")'),
        ("nodes:\n- labels:\n    kubernetes.io/hostname: x", "5: nodes[0].labels.kubernetes.io/hostname: "),
        (f"nodes:\n- labels:\n    {ZONE}: x", f"5: nodes[0].labels.{ZONE}: is written as the field zone"),
        ("nodes:\n- taints:\n  - a=b:NoSchedule\n  - a=b:Never", "6: nodes[0].taints[1]: "),
        ("nodes:\n- kubeletExtraArgs:\n    cpu: 2", "5: nodes[0].kubeletExtraArgs.cpu: there is no such field (it has: allowed-"),
        ("nodes:\n- kubeletExtraArgs:\n    log-level:", "5: nodes[0].kubeletExtraArgs.log-level: has to be text, not nothing"),
        ("nodes:\n- taints: a=b:NoSchedule", "4: nodes[0].taints: has to be a list"),
        ("nodes:\n- &a\n  cpu: 1\n- <<: *a", "6: nodes[1].<<: there is no such field"),
        ("nodes: [", "3: while parsing a flow node"),
        ("nodes: !!python/object:os.system []", "3: the tag tag:yaml.org,2002:python/object:os.system means nothing"),
        ("name: !secret x", "3: could not determine a constructor"),
        ("name: 2026-99-99", '3: "2026-99-99" cannot be read'),
        ("nodes: &a [*a]", "3: has itself within"),
        ("? [a]\n: b", "3: a list: there is no such field"),
        ("---\nname: a", "3: expected a single document"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_line_and_field(body: str, where: str):
    """By the rules that the options have, each at its place; nothing of the document is passed over."""
    assert refusal(HEAD + body).startswith(where)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "1: there is no document in it"),
        ("kind: Cluster", "1: apiVersion: is needed: kubarium.dev/v1alpha1"),
        ("apiVersion: kubarium.dev/v1alpha1", "1: kind: is needed: Cluster"),
        ("apiVersion: kind.x-k8s.io/v1alpha4\nkind: Cluster", "1: apiVersion: has to be kubarium.dev/v1alpha1"),
        ("apiVersion: kubarium.dev/v1alpha1\nkind: Pod", '2: kind: has to be Cluster, not "Pod"'),
        ("- a", "1: has to be fields with values, not a list"),
        ("a: \0", "1: is no YAML"),
        ("[" * 500, "1: is nested too deeply"),
    ],
)  # fmt: skip
def test_what_is_no_document_of_this_kind_is_refused(text: str, where: str):
    """With what it has to be."""
    assert refusal(text).startswith(where)


def test_aliases_are_read_once():
    """What unfolds to more than the machine has is small as it stands."""
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 64))
    assert "a0: there is no such field" in refusal(HEAD + bomb)


def test_what_is_said_beside_the_file_wins():
    """Each option over its field; of nodes the first ones, or more of them."""
    body = "name: shop\nruntime: hollow\nprofile: fast\nnodes:\n- {name: a, cpu: 1, labels: {x: file, y: file}}\n- {name: b}\n"
    wanted = Options.of(
        profile="default", cpu="3", labels={"x": "said"}, zones=("z",), taints=("t:NoSchedule",)
    ).over(read(body).options)
    spec = wanted.new_spec("t", "hollow")
    assert (wanted.said.get("runtime"), spec.profile) == ("hollow", "default")
    assert [(node.name, node.cpu, node.taints) for node in spec.nodes] == [
        ("a", "3", ("t:NoSchedule",)),
        ("b", "3", ("t:NoSchedule",)),
    ]
    assert spec.nodes[0].labels == {"x": "said", "y": "file", ZONE: "z"}
    for nodes, names in ((1, ["a"]), (3, ["a", "b", "node-3"]), (0, [])):
        counted = Options.of(nodes=nodes).over(read(body).options)
        assert [node.name for node in counted.new_spec("t").nodes] == names


def test_a_cluster_that_there_is_gets_the_nodes_that_the_file_has():
    """By name; those of other nodes stay, and what differs is named."""
    three = read("nodes:\n- {name: a, cpu: 1}\n- {name: b}\n- {name: c, labels: {x: y}}\n").options
    spec = three.new_spec("t").without_node("b")
    assert differences(three, spec) == []
    assert [node.name for node in three.missing_nodes(spec)] == ["b"]
    assert [node.name for node in three.extended(spec).nodes] == ["a", "c", "b"]
    two = read("nodes:\n- {name: a, cpu: 2, memory: 1Gi}\n- {name: d}\n").options
    assert differences(two, spec) == [
        "--cpu 2 (a does not have it)",
        "--memory 1Gi (a does not have it)",
        "--nodes 2 (it has c besides); `kubarium node rm` removes one",
    ]


def test_hollow_nodes_are_as_the_options_have_them():
    """What is left out has the options' defaults; an empty list of taints is none."""
    full = read(
        "hollowNodes: {count: 7, cpu: 8, memory: 16Gi, pods: 30, taints: [a=b:NoSchedule]}\n"
    ).options.new_spec("t")
    found = (full.hollow_nodes, full.hollow_cpu, full.hollow_memory, full.hollow_pods, full.hollow_taints)
    assert found == (7, "8", "16Gi", 30, ("a=b:NoSchedule",))
    some = read("nodes: [{}]\nhollowNodes: {count: 7, taints: []}\n").options.new_spec("t", "docker")
    assert (some.hollow_cpu, some.taints_of_hollow_nodes) == (ClusterSpec().hollow_cpu, ())
    untold = read("nodes: [{}]\nhollowNodes: {count: 7}\n").options.new_spec("t", "docker")
    assert untold.taints_of_hollow_nodes == ("kubarium.dev/runtime=hollow:NoSchedule",)


def test_every_field_is_documented():
    """In the order in which the reader has them."""
    documented = re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs/cluster-file.md").read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(field_names())


def test_the_example_is_a_cluster_file():
    """With what its comments say."""
    document = read_cluster_text((ROOT / "examples/cluster.yaml").read_text())
    spec = document.options.new_spec(document.name)
    assert [(node.name, node.labels[ZONE]) for node in spec.nodes] == [
        ("node-1", "east"),
        ("node-2", "east"),
        ("big", "west"),
    ]
    assert (spec.schedulers, spec.nodes[2].taints) == (2, ("dedicated=databases:NoSchedule",))

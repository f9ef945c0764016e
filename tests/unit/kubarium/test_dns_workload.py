"""DNS as a workload of the cluster: what is created, and what is not started beside it."""

from __future__ import annotations

from pathlib import PurePath

import msgspec
import pytest

from dns.config import DnsConfig
from kubarium.core.components import components
from kubarium.core.dns_workload import account, deployment, service, settings
from kubarium.core.layout import Layout
from kubarium.core.options.differences import differences
from kubarium.core.options.options import Options
from kubarium.core.places import LocalPlaces
from kubarium.core.spec import ClusterSpec, Dns
from kubarium.core.spec_rules import SpecError
from machinery.model.k8s.apps_v1 import Deployment
from machinery.model.k8s.core_v1 import Container, Service
from machinery.process.config import parser_of


def container() -> Container:
    """The container of the pods."""
    made = msgspec.convert(deployment(3), Deployment)
    return made.spec.template.spec.containers[0]


def test_the_program_knows_its_flags() -> None:
    """And comes as its pod's ServiceAccount."""
    read = parser_of(DnsConfig).parse_args(container().args)
    assert (read.in_cluster, read.listen, read.announce_address) == (True, ("0.0.0.0:53",), "")


def test_probes_ask_at_the_ports_at_which_it_listens() -> None:
    """By the flags."""
    read, probed = parser_of(DnsConfig).parse_args(container().args), container()
    for probe, listen in (
        (probed.livenessProbe, read.health_listen),
        (probed.readinessProbe, read.ready_listen),
    ):
        assert probe is not None
        assert probe.httpGet is not None
        assert listen == f"0.0.0.0:{probe.httpGet.port}"


def test_the_service_selects_the_pods_and_leads_to_their_ports() -> None:
    """At the address that kubelets tell their pods; two pods only where they can be on two nodes."""
    made, chosen = msgspec.convert(deployment(3), Deployment), msgspec.convert(service(), Service)
    labels = made.spec.template.metadata.labels
    assert chosen.spec.selector.items() <= labels.items()
    names = {each.name for each in container().ports}
    assert {each.targetPort for each in chosen.spec.ports} == names
    assert [deployment(nodes)["spec"]["replicas"] for nodes in (1, 2, 3)] == [1, 2, 2]
    assert made.spec.template.spec.serviceAccountName == account()["metadata"]["name"]
    assert settings()["metadata"]["name"] == "kubarium-dns"


def test_no_process_is_started_beside_it() -> None:
    """Pods ask the same address either way."""
    layout = Layout(PurePath("/home"), PurePath("/run"))
    for dns, has_process in (("process", True), ("deployment", False)):
        spec = Options.of(nodes=1, dns=dns).new_spec("x", "docker")
        parts = {part.name: part for part in components(LocalPlaces(spec, layout))}
        assert ("dns" in parts) is has_process
        assert parts["kubelet@node-1"].flags["cluster-dns"] == "10.96.0.10"


def test_another_word_is_refused() -> None:
    """With those that there are."""
    with pytest.raises(SpecError, match="--dns: has to be one of auto, process, deployment"):
        Options.of(dns="coredns").new_spec("x")
    assert differences(Options.of(dns="deployment"), ClusterSpec()) == ["--dns deployment (it has process)"]


@pytest.mark.parametrize("has", ["process", "deployment"])
def test_auto_is_what_the_cluster_has(has: Dns) -> None:
    """A cluster that exists is what it is; a new one is a process until it is known which images there are."""
    assert differences(Options.of(dns="auto"), ClusterSpec(dns=has)) == []
    assert Options.of(dns="auto").new_spec("x", "docker").dns == "process"

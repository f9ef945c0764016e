"""Where the cluster's DNS is a process, and what it counts as."""

from __future__ import annotations

import msgspec
import pytest

from dns.core.announced import service_object, slice_object
from machinery.model.dns_process import dns_processes
from machinery.model.k8s.core_v1 import ObjectReference, Service
from machinery.model.k8s.discovery_v1 import EndpointSlice
from tests.support.proxy import endpoint, endpoint_slice, service, service_port

PORTS = [service_port(53, "UDP", name="dns"), service_port(53, "TCP", name="dns-tcp")]


def dns_service(selector: dict[str, str] | None = None) -> Service:
    """Return the Service."""
    return service("kube-dns", "kube-system", ports=PORTS, **({"selector": selector} if selector else {}))


def dns_slice(**fields: str) -> EndpointSlice:
    """Return the slice of a process at 10.77.0.1."""
    made = {"of": "kube-dns", "namespace": "kube-system", **fields}
    return endpoint_slice(endpoint("10.77.0.1"), port=6447, protocol="UDP", port_name="dns", **made)


def test_what_the_server_announces_is_found() -> None:
    """Each of its ports counts as port 53 of a pod of kube-system with the usual label."""
    made = msgspec.convert(service_object("10.96.0.10"), Service)
    slice_ = msgspec.convert(slice_object("kube-dns-a", "10.77.0.1", 6447), EndpointSlice)
    found = dns_processes(made, [slice_])
    assert [(each.protocol, each.port, each.pod_port) for each in found] == [
        ("UDP", 6447, 53),
        ("TCP", 6447, 53),
    ]
    [pod] = {repr(each.pod): each.pod for each in found}.values()
    assert (pod.namespace, pod.labels, pod.ips) == ("kube-system", {"k8s-app": "kube-dns"}, ("10.77.0.1",))
    assert [port.name for port in pod.ports if port.number == 53] == ["dns", "dns-tcp"]


@pytest.mark.parametrize(
    ("service_", "slice_"),
    [
        pytest.param(None, dns_slice(), id="no Service"),
        pytest.param(dns_service({"k8s-app": "kube-dns"}), dns_slice(), id="pods"),
        pytest.param(dns_service(), dns_slice(of="web"), id="of another Service"),
        pytest.param(dns_service(), dns_slice(namespace="default"), id="of another namespace"),
        pytest.param(dns_service(), dns_slice(address_type="IPv6"), id="IPv6"),
    ],
)
def test_nothing_counts(service_: Service | None, slice_: EndpointSlice) -> None:
    """Where there are pods, or nothing that is the cluster's DNS."""
    assert dns_processes(service_, [slice_]) == ()


def test_an_endpoint_that_is_a_pod_is_no_process() -> None:
    """It is known as the pod."""
    pod = msgspec.structs.replace(endpoint("10.244.1.2"), targetRef=ObjectReference(kind="Pod", name="a"))
    slice_ = msgspec.structs.replace(dns_slice(), endpoints=[pod])
    assert dns_processes(dns_service(), [slice_]) == ()

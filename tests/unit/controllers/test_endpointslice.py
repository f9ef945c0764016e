"""EndpointSlices: https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/."""

import pytest
from msgspec.structs import replace

from controllers.core.actions import Create, Patch
from controllers.endpointslice.drafts import MOST
from controllers.endpointslice.plan import MANAGED_BY, MANAGER, TRIGGER_TIME
from machinery.model.endpoints import SERVICE_NAME
from machinery.model.k8s.core_v1 import (
    ContainerPort,
    PodIP,
    ServicePort,
)
from tests.support import builders
from tests.support.builders import changed
from tests.support.controllers import CREATED, at, of_type, owner
from tests.support.endpointslices import addresses, applied, plan_for, pod, service


def test_a_slice_tells_everything_about_its_endpoints():
    """Labels, owner, ports, conditions, node, zone and the pod itself."""
    svc = service()
    [create] = of_type(plan_for(svc, [pod()]), Create)
    slice_ = create.object
    assert slice_.metadata.generateName == "web-"
    assert slice_.metadata.labels == {"tier": "front", SERVICE_NAME: "web", MANAGED_BY: MANAGER}
    assert slice_.metadata.ownerReferences == [owner(svc)]
    assert slice_.addressType == "IPv4"
    assert [(port.name, port.protocol, port.port) for port in slice_.ports] == [("http", "TCP", 8080)]
    [endpoint] = slice_.endpoints
    assert endpoint.addresses == ["10.244.0.2"]
    assert (endpoint.nodeName, endpoint.zone) == ("node-1", "zone-a")
    reference = endpoint.targetRef
    assert (reference.kind, reference.namespace, reference.name) == ("Pod", "default", "web-1")


@pytest.mark.parametrize(
    ("ready", "terminating", "publish", "expected"),
    [
        (True, False, False, (True, True, False)),
        (False, False, False, (False, False, False)),
        (True, True, False, (False, True, True)),
        (False, True, False, (False, False, True)),
        (False, False, True, (True, False, False)),
        (True, True, True, (True, True, True)),
    ],
)
def test_ready_serving_and_terminating(ready, terminating, publish, expected):
    """https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions."""
    marks = {"deletionTimestamp": CREATED} if terminating else {}
    made = plan_for(service(publishNotReadyAddresses=publish), [pod(ready=ready, meta_fields=marks)])
    conditions = of_type(made, Create)[0].object.endpoints[0].conditions
    assert (conditions.ready, conditions.serving, conditions.terminating) == expected


@pytest.mark.parametrize(
    "left_out",
    [
        pod(ip=""),
        changed(pod(), status__phase="Succeeded"),
        changed(pod(), status__phase="Failed"),
        pod(node="gone"),
    ],
)
def test_who_is_no_endpoint(left_out):
    """No address, ended, or on a node that is not there (yet)."""
    [create] = of_type(plan_for(service(), [left_out]), Create)
    assert create.object.endpoints == []


def test_a_named_port_is_looked_up_in_each_pod():
    """Pods that name different numbers go into different slices; a pod without it has no port."""
    svc = service(ServicePort(name="http", port=80, targetPort="web"))
    one = pod(1, containers=[builders.container(ports=[ContainerPort(containerPort=81, name="web")])])
    other = pod(2, containers=[builders.container(ports=[ContainerPort(containerPort=82, name="web")])])
    sidecar = builders.container(restartPolicy="Always", ports=[ContainerPort(containerPort=83, name="web")])
    third = pod(3, initContainers=[sidecar])
    wrong = [ContainerPort(containerPort=84, name="web", protocol="UDP")]
    fourth = pod(4, containers=[builders.container(ports=wrong)])
    created = of_type(plan_for(svc, [one, other, third, fourth]), Create)
    numbers = sorted(tuple(port.port for port in create.object.ports) for create in created)
    assert numbers == [(), (81,), (82,), (83,)]


def test_a_service_without_a_selector_is_not_ours():
    """Neither is an ExternalName."""
    assert plan_for(service(selector={}), [pod()]).actions == ()
    assert plan_for(service(type="ExternalName"), [pod()]).actions == ()


def test_a_headless_service_is_marked_and_may_have_no_ports():
    """Names of pods go along where the subdomain is the Service's."""
    svc = changed(service(clusterIP="None"), spec__ports=[])
    named = pod(hostname="web-0", subdomain="web")
    [create] = of_type(plan_for(svc, [named]), Create)
    assert create.object.metadata.labels["service.kubernetes.io/headless"] == ""
    assert create.object.ports == []
    assert create.object.endpoints[0].hostname == "web-0"


def test_a_service_without_pods_has_one_empty_slice():
    """And keeps it; its first pod goes into it."""
    slices = applied(plan_for(service(), []))
    assert [slice_.endpoints for slice_ in slices] == [[]]
    assert plan_for(service(), [], slices).actions == ()
    made = plan_for(service(), [pod()], slices)
    assert [type(write) for write in of_type(made, object)] == [Patch]
    [after] = applied(made, slices)
    assert addresses([after]) == ["10.244.0.2"]
    assert [port.port for port in after.ports] == [8080]


def test_a_hundred_endpoints_fill_a_slice():
    """The rest goes into another."""
    slices = applied(plan_for(service(), [pod(number) for number in range(230)]))
    assert sorted(len(slice_.endpoints) for slice_ in slices) == [30, MOST, MOST]


def test_a_new_pod_goes_where_it_fits():
    """One patch, no new slice, and full ones are not touched."""
    pods = [pod(number) for number in range(130)]
    slices = applied(plan_for(service(), pods))
    made = plan_for(service(), [*pods, pod(200)], slices)
    [patch] = of_type(made, object)
    assert isinstance(patch, Patch)
    assert len(patch.patch["endpoints"]) == 31


def test_a_change_stays_in_its_slice():
    """Only the slice with the pod is written."""
    pods = [pod(number) for number in range(150)]
    slices = applied(plan_for(service(), pods))
    pods[3] = pod(3, ready=False)
    [patch] = of_type(plan_for(service(), pods, slices), object)
    assert sum(not item["conditions"]["ready"] for item in patch.patch["endpoints"]) == 1


def test_what_is_written_anyway_takes_the_new_ones():
    """A pod replaced by another is one write."""
    pods = [pod(number) for number in range(100)]
    slices = applied(plan_for(service(), pods))
    made = plan_for(service(), [*pods[1:], pod(150)], slices)
    assert [type(write) for write in of_type(made, object)] == [Patch]


def test_a_second_copy_of_an_endpoint_is_taken_out():
    """As after a create whose outcome was unknown."""
    [one] = applied(plan_for(service(), [pod()]))
    twin = changed(one, metadata__name="twin", metadata__uid="uid-twin")
    after = applied(plan_for(service(), [pod()], [one, twin]), [one, twin])
    assert addresses(after) == ["10.244.0.2"]


def test_slices_of_others_are_left_alone():
    """A user's own slice of the Service stays as it is."""
    [ours] = applied(plan_for(service(), [pod()]))
    theirs = changed(ours, metadata__name="own", metadata__labels={SERVICE_NAME: "web"})
    assert plan_for(service(), [pod()], [ours, theirs]).actions == ()


def test_labels_follow_the_service():
    """A label that it has no more goes, reserved ones stay."""
    [slice_] = applied(plan_for(service(), [pod()]))
    relabelled = changed(service(), metadata__labels={"tier": "back"})
    [patch] = of_type(plan_for(relabelled, [pod()], [slice_]), Patch)
    assert patch.patch["metadata"]["labels"] == {"tier": "back"}
    assert "endpoints" not in patch.patch


def test_the_trigger_time_is_that_of_the_first_change_not_yet_told():
    """https://kubernetes.io/docs/reference/labels-annotations-taints/#endpoints-kubernetes-io-last-change-trigger-time."""
    slices = applied(plan_for(service(), [pod(1, since=at(-60))]))
    assert slices[0].metadata.annotations[TRIGGER_TIME] == CREATED
    pods = [pod(1, since=at(-60)), pod(2, since=at(-30)), pod(3, since=at(-20))]
    [slice_] = applied(plan_for(service(), pods, slices), slices)
    assert slice_.metadata.annotations[TRIGGER_TIME] == at(-60)


def test_a_service_that_is_being_deleted_gets_no_new_slices():
    """Those that it has go with it."""
    going = replace(service(), metadata=replace(service().metadata, deletionTimestamp=CREATED))
    assert plan_for(going, [pod()]).actions == ()


def test_only_addresses_of_the_services_family_count():
    """A dual-stack pod of a single-stack Service has one address there."""
    dual = changed(pod(), status__podIPs=[PodIP(ip="fd00::2"), PodIP(ip="10.244.0.9")])
    [create] = of_type(plan_for(service(), [dual]), Create)
    assert create.object.endpoints[0].addresses == ["10.244.0.9"]


@pytest.mark.parametrize(
    ("preference", "zones", "nodes"),
    [
        ("", None, None),
        ("PreferClose", ["zone-a"], []),
        ("PreferSameZone", ["zone-a"], []),
        ("PreferSameNode", ["zone-a"], ["node-1"]),
    ],
)
def test_hints_say_for_whom_an_endpoint_is_meant(preference, zones, nodes):
    """Those that are ready, where the Service prefers what is near; without a zone there is no hint of one."""
    svc = service(trafficDistribution=preference)
    slices = applied(plan_for(svc, [pod(1), pod(2, ready=False), pod(3, node="node-2")]))
    by_name = {each.targetRef.name: each.hints for slice_ in slices for each in slice_.endpoints}
    assert by_name["web-2"] is None
    found = by_name["web-1"]
    assert (found and [each.name for each in found.forZones]) == zones
    assert (found and [each.name for each in found.forNodes]) == nodes
    assert (by_name["web-3"] is not None) is (preference == "PreferSameNode")
    back = applied(plan_for(service(), [pod(1), pod(2, ready=False), pod(3, node="node-2")], slices), slices)
    assert all(each.hints is None for slice_ in back for each in slice_.endpoints)

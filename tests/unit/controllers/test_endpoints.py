"""Endpoints: https://kubernetes.io/docs/concepts/services-networking/service/#endpoints."""

import msgspec
import pytest

from controllers.core.actions import Create, Delete, Patch
from controllers.endpoints.plan import LEADER, LeftOver, Seen, plan
from machinery.model.k8s.core_v1 import ContainerPort, Endpoints, ServicePort
from tests.support import builders
from tests.support.builders import changed
from tests.support.controllers import at, merged, moment, of_type
from tests.support.endpointslices import pod, service

LABELS = {"tier": "front", "endpoints.kubernetes.io/managed-by": "endpoint-controller"}
OVER = "endpoints.kubernetes.io/over-capacity"
TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"


def plan_for(svc, pods=(), endpoints=None):
    return plan(Seen(svc, endpoints, list(pods)), moment())


def made(svc, pods, endpoints=None):
    """Return the Endpoints after a plan; a second one finds nothing to do."""
    one = plan_for(svc, pods, endpoints)
    if endpoints is None:
        [create] = of_type(one, Create)
        after = changed(create.object, metadata__uid="uid", metadata__resourceVersion="1")
    else:
        [patch] = of_type(one, Patch)
        after = msgspec.convert(merged(msgspec.to_builtins(endpoints), patch.patch), Endpoints)
    assert plan_for(svc, pods, after).actions == ()
    return after


def shape(endpoints):
    return [
        (
            [each.ip for each in subset.addresses],
            [each.ip for each in subset.notReadyAddresses],
            [(port.name, port.port) for port in subset.ports],
        )
        for subset in endpoints.subsets
    ]


def test_a_services_pods_are_written_by_whether_they_are_ready():
    """With the Service's labels, and the time of the change; those that end, or have no address, are out."""
    going = pod(3, meta_fields={"deletionTimestamp": at(0)})
    members = [pod(1), pod(2, ready=False), going, pod(4, ip=""), changed(pod(5), status__phase="Failed")]
    found = made(service(), members)
    assert shape(found) == [(["10.244.0.2"], ["10.244.0.3"], [("http", 8080)])]
    [address] = found.subsets[0].addresses
    assert (address.nodeName, address.targetRef.kind, address.targetRef.name) == ("node-1", "Pod", "web-1")
    assert (found.metadata.labels, found.metadata.annotations[TRIGGER]) == (LABELS, at(-3600))


@pytest.mark.parametrize(
    ("spec", "ready", "unready", "headless"),
    [
        ({"publishNotReadyAddresses": True}, ["10.244.0.2", "10.244.0.3", "10.244.0.4"], [], False),
        ({"clusterIP": "None"}, ["10.244.0.2"], ["10.244.0.3"], True),
        ({"clusterIP": "None", "ports": []}, ["10.244.0.2"], ["10.244.0.3"], True),
        ({"ipFamilies": ["IPv6", "IPv4"]}, None, None, False),
        ({"ports": []}, None, None, False),
    ],
)
def test_who_is_in_follows_the_service(spec, ready, unready, headless):
    """What it publishes, which family comes first, whether it needs ports."""
    members = [pod(1), pod(2, ready=False), pod(3, meta_fields={"deletionTimestamp": at(0)})]
    svc = changed(service(), **{f"spec__{key}": value for key, value in spec.items()})
    found = made(svc, members)
    assert [(one, two) for one, two, _ in shape(found)] == ([] if ready is None else [(ready, unready)])
    assert ("service.kubernetes.io/headless" in found.metadata.labels) is headless


def test_ports_that_differ_part_the_pods():
    """What they have in common stays together; a port that a pod does not have is left out for it."""
    ports = [
        ServicePort(name="web", port=80, targetPort="web"),
        ServicePort(name="ops", port=9, targetPort=9),
    ]
    numbers = {1: 8080, 2: 9090, 3: None}
    members = [
        changed(
            pod(number),
            spec__containers=[
                builders.container(ports=[ContainerPort(containerPort=port, name="web")] if port else [])
            ],
        )
        for number, port in numbers.items()
    ]
    assert sorted(shape(made(service(*ports), members))) == [
        (["10.244.0.2"], [], [("web", 8080)]),
        (["10.244.0.2", "10.244.0.3", "10.244.0.4"], [], [("ops", 9)]),
        (["10.244.0.3"], [], [("web", 9090)]),
    ]


@pytest.mark.parametrize(
    ("ready", "unready", "left"),
    [
        (900, 200, (900, 100)),
        pytest.param(1100, 50, (1000, 0), marks=pytest.mark.deep),
        pytest.param(1000, 0, (1000, 0), marks=pytest.mark.deep),
    ],
)
def test_what_is_too_much_is_left_out_and_said(ready, unready, left):
    """1,000 addresses, the ready ones first; back below, the word goes."""
    members = [pod(number, ready=number < ready) for number in range(ready + unready)]
    found = made(service(), members)
    [(one, two, _)] = shape(found)
    assert (len(one), len(two)) == left
    assert (OVER in found.metadata.annotations) is (ready + unready > 1000)
    fewer = made(service(), members[:10], found)
    assert OVER not in fewer.metadata.annotations


def test_labels_follow_the_service_and_annotations_of_others_stay():
    """Also where somebody has written into the object."""
    found = made(service(), [pod(1)])
    spoilt = changed(found, metadata__labels={"mine": "1"}, metadata__annotations={"mine": "1", OVER: "x"})
    after = made(service(), [pod(1)], spoilt)
    assert (after.metadata.labels, after.metadata.annotations) == (LABELS, {"mine": "1", TRIGGER: at(-60)})


@pytest.mark.parametrize("spec", [{"selector": {}}, {"type": "ExternalName"}])
def test_a_service_that_finds_no_pods_itself_is_left_alone(spec):
    """Its Endpoints are somebody else's."""
    svc = changed(service(), **{f"spec__{key}": value for key, value in spec.items()})
    assert plan_for(svc, [pod(1)]).actions == ()


def test_endpoints_go_with_their_service():
    """And at the start, those whose Service went while nobody looked; not what leaders are elected by."""
    found = made(service(), [pod(1)])
    [gone] = of_type(plan_for(None, (), found), Delete)
    assert (gone.name, gone.uid) == ("web", "uid")
    elected = changed(found, metadata__name="leader", metadata__annotations={LEADER: "{}"})
    assert [each.name for each in of_type(plan(LeftOver([found, elected]), moment()), Delete)] == ["web"]
    assert plan(LeftOver([elected]), moment()).actions == ()
    assert plan_for(None).actions == ()

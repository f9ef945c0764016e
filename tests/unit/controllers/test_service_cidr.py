"""ServiceCIDRs: https://kubernetes.io/docs/tasks/network/extend-service-ip-ranges/."""

import pytest

from controllers.core.actions import Patch
from controllers.service_cidr.plan import FINALIZER, GRACE_S, Seen, plan
from machinery.model.k8s.networking_v1 import ServiceCIDR, ServiceCIDRSpec
from tests.support.builders import meta
from tests.support.controllers import at, moment, of_type, status_of

KEPT = {"finalizers": [FINALIZER]}
GOING = KEPT | {"deletionTimestamp": at(0)}


def cidr(*ranges, name="more", **fields):
    return ServiceCIDR(metadata=meta(name, **fields), spec=ServiceCIDRSpec(cidrs=list(ranges)))


def plan_for(own, *others, addresses=(), later_s=60.0):
    return plan(Seen(own, others, addresses), moment(later_s))


def test_a_range_is_protected_and_then_ready():
    """One step after the other."""
    [patch] = of_type(plan_for(cidr("10.1.0.0/24")), Patch)
    assert patch.patch["metadata"]["finalizers"] == [FINALIZER]
    [condition] = status_of(plan_for(cidr("10.1.0.0/24", **KEPT)))["conditions"]
    assert (condition["type"], condition["status"]) == ("Ready", "True")
    assert condition["message"] == "Kubernetes Service CIDR is ready"


@pytest.mark.parametrize(
    ("others", "addresses", "goes"),
    [
        ((), (), True),
        ((), ("10.1.0.5",), False),
        ((), ("10.2.0.5", "fd00::1"), True),
        ((cidr("10.1.0.0/16"),), ("10.1.0.5",), True),
        ((cidr("10.1.0.0/30"),), ("10.1.0.2",), True),
        ((cidr("10.1.0.0/30"),), ("10.1.0.5",), False),
        ((cidr("fd00::/64"),), ("10.1.0.5",), False),
    ],
)
def test_a_range_goes_when_nobody_needs_it(others, addresses, goes):
    """Where another one has its addresses, too, it is not needed; while it is, it says so."""
    made = plan_for(cidr("10.1.0.0/24", **GOING), *others, addresses=addresses)
    if goes:
        [patch] = of_type(made, Patch)
        assert patch.patch["metadata"]["finalizers"] == []
        return
    [condition] = status_of(made)["conditions"]
    assert (condition["status"], condition["reason"]) == ("False", "Terminating")


def test_a_range_goes_only_when_the_apiservers_know_of_it():
    """They might give an address of it out until then."""
    made = plan_for(cidr("10.1.0.0/24", **GOING), later_s=GRACE_S - 1)
    assert (made.actions, made.requeue_after_s) == ((), pytest.approx(1))
    assert plan_for(cidr("10.1.0.0/24", deletionTimestamp=at(0))).actions == ()

"""Which CDI devices a container gets, and who may use a claim."""

from __future__ import annotations

import pytest

from kubelet.core.devices import PreparedClaim, PreparedDevice, cdi_ids, drivers_of, problem_of
from kubelet.core.status_patch import status_patch
from machinery.model.device_claims import pod_claims, user_of_claim
from machinery.model.k8s.core_v1 import (
    PodResourceClaimStatus,
    PodStatus,
    ResourceRequirements,
)
from machinery.model.k8s.core_v1 import (
    ResourceClaim as Use,
)
from machinery.model.k8s.resource_v1 import AllocationResult
from tests.support.builders import changed, container
from tests.support.device_claims import claim, pod

ONE = PreparedDevice(("a",), "p", "one", ("x/d=one", "x/d=common"))
TWO = PreparedDevice(("b/large",), "p", "two", ("x/d=two", "x/d=common"))
ALL = PreparedDevice((), "p", "all", ("y/d=all",))
CARDS = PreparedClaim("default", "cards", "uid", ("pod",), ("x", "y"), {"x": (ONE, TWO), "y": (ALL,)})


@pytest.mark.parametrize(
    ("uses", "ids"),
    [
        ([], []),
        ([Use(name="cards")], ["x/d=one", "x/d=common", "x/d=two", "y/d=all"]),
        ([Use(name="cards", request="a")], ["x/d=one", "x/d=common", "y/d=all"]),
        ([Use(name="cards", request="b")], ["x/d=two", "x/d=common", "y/d=all"]),
        ([Use(name="cards", request="b/large")], ["x/d=two", "x/d=common", "y/d=all"]),
        ([Use(name="unneeded")], []),
    ],
)
def test_a_container_gets_the_devices_of_what_it_uses(uses, ids):
    """Each once; a device that names no request is of all."""
    own = changed(container("main"), resources=ResourceRequirements(claims=uses))
    assert cdi_ids(own, {"cards": "cards"}, {"cards": CARDS}) == ids


def test_a_claim_that_is_not_prepared_is_named():
    """Nor is one of whose drivers one has not answered."""
    own = changed(container("main"), resources=ResourceRequirements(claims=[Use(name="cards")]))
    for known in ({}, {"cards": PreparedClaim("default", "cards", "uid", ("pod",), ("x",))}):
        with pytest.raises(LookupError, match="cards"):
            cdi_ids(own, {"cards": "cards"}, known)


def test_a_claim_is_used_by_whom_it_is_reserved_for():
    """With its devices."""
    web = pod("web", shared="data")
    [own] = pod_claims(web)
    there = claim("data")
    assert problem_of(there, own, web) == "ResourceClaim data is not allocated"
    allocated = changed(there, status__allocation=AllocationResult())
    text = "pod web(uid-default-web) is not allowed to use resource claim data(uid-default-data)"
    assert problem_of(allocated, own, web) == text
    assert problem_of(changed(allocated, status__reservedFor=[user_of_claim(web.metadata)]), own, web) == ""
    assert drivers_of(allocated) == ()


def test_what_others_say_of_claims_stays_in_a_status():
    """A kubelet writes nothing of it."""
    known = PodStatus(resourceClaimStatuses=[PodResourceClaimStatus(name="own", resourceClaimName="x")])
    assert status_patch(known, PodStatus(phase="Running")) == {"phase": "Running"}

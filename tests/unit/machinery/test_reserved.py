"""What a node keeps for a pod that is resized in place."""

from __future__ import annotations

import pytest

from machinery.model.k8s.core_v1 import ContainerStatus, Pod, PodCondition, PodStatus
from machinery.model.pods import as_reserved, requests
from tests.support.builders import changed, container, pod, resources


def resized(
    declared: str, allocated: str, applied: str, *conditions: PodCondition, generation: int = 2
) -> Pod:
    """Return a pod that has come so far on its way to other resources."""
    told = ContainerStatus(
        name="main",
        image="x",
        imageID="",
        ready=True,
        restartCount=0,
        allocatedResources={"cpu": allocated},
        resources=resources({"cpu": applied}),
    )
    status = PodStatus(containerStatuses=[told], conditions=list(conditions))
    found = pod(containers=[container("main", requests={"cpu": declared, "memory": "1Gi"})])
    return changed(found, status=status, metadata__generation=generation)


INFEASIBLE = PodCondition(type="PodResizePending", status="True", reason="Infeasible")
DEFERRED = PodCondition(type="PodResizePending", status="True", reason="Deferred")


@pytest.mark.parametrize(
    ("found", "millicores"),
    [
        (resized("1", "1", "1"), 1000),
        (resized("2", "1", "1", DEFERRED), 2000),
        (resized("1", "2", "2"), 2000),
        (resized("1", "1", "2000m"), 2000),
        (resized("9", "1", "1", INFEASIBLE), 1000),
        (resized("2", "5", "1", generation=1), 2000),  # nothing was changed: the status is of no account
    ],
)
def test_the_most_of_what_a_pod_may_have_is_kept_for_it(found: Pod, millicores: int):
    """What its node can never give does not count."""
    reserved = as_reserved(found)
    assert requests(reserved).cpu_millicores == millicores
    assert requests(reserved).memory_bytes == 2**30
    assert reserved.status is found.status


@pytest.mark.parametrize(
    ("conditions", "millicores"), [((), 2000), ((DEFERRED,), 2000), ((INFEASIBLE,), 1500)], ids=str
)
def test_the_most_of_what_a_pod_has_as_a_whole_is_kept_for_it(
    conditions: tuple[PodCondition, ...], millicores: int
):
    """Whatever its containers ask for."""
    found = resized("100m", "100m", "100m", *conditions)
    status = {"status__allocatedResources": {"cpu": "1500m"}, "status__resources": resources({"cpu": "1"})}
    found = changed(found, spec__resources=resources({"cpu": "2"}), **status)
    assert requests(as_reserved(found)).cpu_millicores == millicores

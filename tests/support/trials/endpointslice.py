"""A Service's slices."""

from __future__ import annotations

import msgspec

from controllers import (
    endpointslice,
)
from machinery.model.requests import DeleteOptions
from machinery.model.resources import (
    ENDPOINT_SLICES,
    NODES,
    PODS,
    SERVICES,
)
from tests.support import builders
from tests.support.builders import changed
from tests.support.controller_crashes import CrashWorld
from tests.support.trials.trial import Trial


async def a_service_is_followed(world: CrashWorld) -> None:
    """Its pods come and go, its ports change, and somebody deletes a slice."""
    await world.server.given(NODES, builders.node("node-1"))
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}
    document = {"metadata": {"name": "web", "namespace": "default"}, "spec": spec}
    await world.server.given(SERVICES, msgspec.convert(document, SERVICES.type))
    await world.settle()
    for number in (1, 2):
        labels = {"app": "web"}
        pod = builders.pod(f"web-{number}", node="node-1", phase="Running", ready=True, labels=labels)
        await world.server.given(PODS, changed(pod, status__podIP=f"10.244.0.{number}"))
    await world.settle()
    patch = {"spec": {"ports": [{"port": 80, "targetPort": 9090}]}}
    await world.user.patch(SERVICES, "web", patch, namespace="default")
    await world.settle()
    for slice_ in (await world.user.list(ENDPOINT_SLICES)).items:
        await world.user.delete(ENDPOINT_SLICES, slice_.metadata.name, namespace="default")
    at_once = DeleteOptions(grace_period_s=0)
    await world.user.delete(PODS, "web-1", namespace="default", options=at_once)
    await world.settle()
    [slice_] = (await world.user.list(ENDPOINT_SLICES)).items
    assert [endpoint.addresses for endpoint in slice_.endpoints] == [["10.244.0.2"]]
    assert [port.port for port in slice_.ports] == [9090]


TRIALS = (Trial(a_service_is_followed, (endpointslice.build,), writes=4, quick=True),)

"""Endpoints that somebody writes, mirrored."""

from __future__ import annotations

import msgspec

from controllers import (
    endpointslicemirroring,
)
from machinery.model.resources import (
    ENDPOINT_SLICES,
    ENDPOINTS,
    SERVICES,
)
from tests.support.controller_crashes import CrashWorld
from tests.support.trials.trial import Trial


async def endpoints_are_mirrored(world: CrashWorld) -> None:
    """Of a Service without a selector: they change, somebody deletes a slice, and they go."""
    for name in ("web", "gone"):
        document = {"metadata": {"name": name, "namespace": "default"}, "spec": {"ports": [{"port": 80}]}}
        await world.server.given(SERVICES, msgspec.convert(document, SERVICES.type))
        subset = {"addresses": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}], "ports": [{"port": 80}]}
        written = {"metadata": {"name": name, "namespace": "default"}, "subsets": [subset]}
        await world.server.given(ENDPOINTS, msgspec.convert(written, ENDPOINTS.type))
    await world.settle()
    other = {"subsets": [{"addresses": [{"ip": "10.0.0.2"}], "ports": [{"port": 81}]}]}
    await world.user.patch(ENDPOINTS, "web", other, namespace="default")
    await world.user.delete(ENDPOINTS, "gone", namespace="default")
    await world.settle()
    [slice_] = (await world.user.list(ENDPOINT_SLICES)).items
    await world.user.delete(ENDPOINT_SLICES, slice_.metadata.name, namespace="default")
    await world.settle()
    [slice_] = (await world.user.list(ENDPOINT_SLICES)).items
    assert ([each.addresses for each in slice_.endpoints], slice_.ports[0].port) == ([["10.0.0.2"]], 81)


TRIALS = (Trial(endpoints_are_mirrored, (endpointslicemirroring.build,), writes=5),)

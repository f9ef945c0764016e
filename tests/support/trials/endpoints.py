"""A Service's Endpoints."""

from __future__ import annotations

import msgspec

from controllers import (
    endpoints,
)
from machinery.model.resources import (
    ENDPOINTS,
    PODS,
    SERVICES,
)
from tests.support import builders
from tests.support.builders import changed
from tests.support.controller_crashes import CrashWorld
from tests.support.trials.trial import Trial


async def a_service_has_endpoints(world: CrashWorld) -> None:
    """Its pods come and go, somebody deletes what was written, and the Service goes."""
    for name in ("web", "gone"):
        spec = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}
        document = {"metadata": {"name": name, "namespace": "default"}, "spec": spec}
        await world.server.given(SERVICES, msgspec.convert(document, SERVICES.type))
    await world.settle()
    for number in (1, 2):
        pod = builders.pod(
            f"web-{number}", node="n", phase="Running", ready=number == 1, labels={"app": "web"}
        )
        await world.server.given(PODS, changed(pod, status__podIP=f"10.244.0.{number}"))
    await world.settle()
    await world.user.delete(SERVICES, "gone", namespace="default")
    await world.user.delete(ENDPOINTS, "web", namespace="default")
    await world.settle()
    [found] = (await world.user.list(ENDPOINTS)).items
    [subset] = found.subsets
    assert [each.ip for each in subset.addresses] == ["10.244.0.1"]
    assert [each.ip for each in subset.notReadyAddresses] == ["10.244.0.2"]


TRIALS = (Trial(a_service_has_endpoints, (endpoints.build,), writes=5),)

"""A range of Services' addresses."""

from __future__ import annotations

import msgspec

from controllers import (
    service_cidr,
)
from machinery.model.resources import (
    SERVICE_CIDRS,
    SERVICES,
)
from tests.support.controller_crashes import CrashWorld
from tests.support.trials.trial import SILENT_S, Trial


async def a_range_comes_and_goes(world: CrashWorld) -> None:
    """It is needed for a while."""
    for name in ("needed", "free"):
        document = {
            "metadata": {"name": name},
            "spec": {"cidrs": ["10.9.0.0/24" if name == "needed" else "10.8.0.0/24"]},
        }
        await world.server.given(SERVICE_CIDRS, msgspec.convert(document, SERVICE_CIDRS.type))
    await world.settle()
    service = {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"ports": [{"port": 80}], "clusterIP": "10.9.0.9"},
    }
    await world.server.given(SERVICES, msgspec.convert(service, SERVICES.type))
    for name in ("needed", "free"):
        await world.user.delete(SERVICE_CIDRS, name)
    await world.live(SILENT_S)
    [left] = (await world.user.list(SERVICE_CIDRS)).items
    assert [(each.status, each.reason) for each in left.status.conditions] == [("False", "Terminating")]
    await world.user.delete(SERVICES, "web", namespace="default")
    await world.live(SILENT_S)
    assert not (await world.user.list(SERVICE_CIDRS)).items


TRIALS = (Trial(a_range_comes_and_goes, (service_cidr.build,), writes=7),)

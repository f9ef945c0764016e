"""Volumes that are protected."""

from __future__ import annotations

from controllers import (
    pv_protection,
)
from controllers.core.documents import documents_of
from controllers.pv_protection.plan import VOLUMES
from tests.support.controller_crashes import CrashWorld
from tests.support.controllers import (
    document,
)
from tests.support.trials.trial import Trial


async def a_volume_is_held(world: CrashWorld) -> None:
    """While it is bound."""
    volumes = documents_of(VOLUMES)
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/data"}}
    for name, phase in (("bound", "Bound"), ("free", "Available")):
        await world.server.given(volumes, document(VOLUMES, name, spec=spec, status={"phase": phase}))
    await world.settle()
    for name in ("bound", "free"):
        await world.user.delete(volumes, name)
    await world.settle()
    assert [each.metadata.name for each in (await world.user.list(volumes)).items] == ["bound"]
    await world.user.patch(volumes, "bound", {"status": {"phase": "Released"}}, subresource="status")
    await world.settle()
    assert not (await world.user.list(volumes)).items


TRIALS = (Trial(a_volume_is_held, (pv_protection.build,), writes=2),)

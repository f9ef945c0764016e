"""Requests for certificates that go."""

from __future__ import annotations

from controllers import (
    certificate_cleaning,
)
from machinery.model.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
)
from tests.support.controller_crashes import CrashWorld
from tests.support.trials.certificate_approving import ask_for_a_certificate
from tests.support.trials.trial import Trial


async def requests_are_old(world: CrashWorld) -> None:
    """They go."""
    await ask_for_a_certificate(world, "old", "Denied", at="2000-01-01T00:00:00Z")
    await ask_for_a_certificate(world, "new", "Denied")
    await world.settle()
    left = (await world.user.list(CERTIFICATE_SIGNING_REQUESTS)).items
    assert [each.metadata.name for each in left] == ["new"]


TRIALS = (Trial(requests_are_old, (certificate_cleaning.build,), writes=1),)

"""Requests for certificates that are signed."""

from __future__ import annotations

from controllers import (
    certificate_signing,
)
from machinery.model.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
)
from tests.support.controller_crashes import CrashWorld
from tests.support.trials.certificate_approving import ask_for_a_certificate
from tests.support.trials.trial import Trial


async def a_certificate_is_approved(world: CrashWorld) -> None:
    """It is signed, and one that is denied is not."""
    await ask_for_a_certificate(world, "good", "Approved")
    await ask_for_a_certificate(world, "bad", "Denied")
    await world.settle()
    found = {each.metadata.name: each for each in (await world.user.list(CERTIFICATE_SIGNING_REQUESTS)).items}
    assert (bool(found["good"].status.certificate), found["bad"].status.certificate) == (True, "")


TRIALS = (Trial(a_certificate_is_approved, (certificate_signing.build,), writes=1),)

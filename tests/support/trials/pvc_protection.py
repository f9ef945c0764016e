"""Claims that are protected."""

from __future__ import annotations

from controllers import (
    pvc_protection,
)
from controllers.core.documents import documents_of
from controllers.pvc_protection.plan import CLAIMS
from tests.support.controller_crashes import CrashWorld
from tests.support.controllers import (
    document,
)
from tests.support.trials.trial import Trial


async def claims_go(world: CrashWorld) -> None:
    """They are protected from the start, and nobody uses them."""
    claims = documents_of(CLAIMS)
    storage = {"resources": {"requests": {"storage": "1Gi"}}, "accessModes": ["ReadWriteOnce"]}
    for name in ("one", "two"):
        await world.server.given(claims, document(CLAIMS, name, "default", spec=storage))
        assert (await world.user.get(claims, name, namespace="default")).metadata.finalizers
        await world.user.delete(claims, name, namespace="default")
    await world.settle()
    assert not (await world.user.list(claims)).items


TRIALS = (Trial(claims_go, (pvc_protection.build,), writes=2),)

"""What every namespace has."""

from __future__ import annotations

from controllers import (
    serviceaccount,
)
from machinery.model.resources import (
    CONFIG_MAPS,
    NAMESPACES,
    SERVICE_ACCOUNTS,
)
from tests.support import builders
from tests.support.controller_crashes import CrashWorld
from tests.support.trials.trial import Trial


async def namespaces_come(world: CrashWorld) -> None:
    """Two namespaces; then somebody takes the account of one away, and spoils the certificate of the other."""
    for name in ("one", "two"):
        await world.server.given(NAMESPACES, builders.namespace(name))
    await world.settle()
    await world.user.delete(SERVICE_ACCOUNTS, "default", namespace="one")
    spoilt = {"data": {"ca.crt": "other", "extra": "x"}}
    await world.user.patch(CONFIG_MAPS, "kube-root-ca.crt", spoilt, namespace="two")
    await world.settle()
    for name in ("one", "two"):
        await world.user.get(SERVICE_ACCOUNTS, "default", namespace=name)
        root_ca = await world.user.get(CONFIG_MAPS, "kube-root-ca.crt", namespace=name)
        assert root_ca.data == {"ca.crt": "PEM"}


TRIALS = (Trial(namespaces_come, (serviceaccount.build,), writes=10),)

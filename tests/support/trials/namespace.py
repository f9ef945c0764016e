"""A namespace with all that is in it."""

from __future__ import annotations

import pytest

from controllers import (
    namespace,
)
from machinery.model.errors import NotFound
from machinery.model.resources import (
    CONFIG_MAPS,
    NAMESPACES,
    PODS,
    SECRETS,
    SERVICE_ACCOUNTS,
)
from tests.support import builders
from tests.support.builders import changed
from tests.support.controller_crashes import CrashWorld
from tests.support.trials.trial import Trial


async def a_namespace_goes(world: CrashWorld) -> None:
    """With pods that end by and by, with other things, and with one that is held."""
    await world.server.given(NAMESPACES, builders.namespace("gone"))
    account = SERVICE_ACCOUNTS.type(metadata=builders.meta("default", "gone"))
    await world.server.given(SERVICE_ACCOUNTS, changed(account, automountServiceAccountToken=False))
    for name in ("one", "two"):
        await world.server.given(PODS, builders.pod(name, "gone", node="node-1"))
    await world.server.given(CONFIG_MAPS, builders.config_map("settings", "gone"))
    held = builders.config_map("held", "gone")
    await world.server.given(CONFIG_MAPS, changed(held, metadata__finalizers=["test/hold"]))
    secret = SECRETS.type(metadata=builders.meta("key", "gone"))
    await world.server.given(SECRETS, secret)
    await world.user.delete(NAMESPACES, "gone")
    await world.settle()
    assert sorted(await world.cluster.end_pods()) == ["one", "two"]
    await world.settle()
    free = {"metadata": {"finalizers": None}}
    await world.user.patch(CONFIG_MAPS, "held", free, namespace="gone")
    await world.settle()
    with pytest.raises(NotFound):
        await world.user.get(NAMESPACES, "gone")


TRIALS = (Trial(a_namespace_goes, (namespace.build,), writes=4),)

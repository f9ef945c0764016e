"""Secrets of ServiceAccounts."""

from __future__ import annotations

from controllers import (
    serviceaccount_token,
)
from machinery.model.k8s.core_v1 import Secret, ServiceAccount
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.requests import Selection
from machinery.model.resources import (
    NAMESPACES,
    SECRETS,
    SERVICE_ACCOUNTS,
)
from machinery.model.tokens import ACCOUNT_NAME, LEGACY_TYPE
from tests.support import builders
from tests.support.controller_crashes import CrashWorld
from tests.support.trials.trial import Trial


async def a_token_secret_is_filled(world: CrashWorld) -> None:
    """It has its token, and goes with its account."""
    await world.server.given(NAMESPACES, builders.namespace("space"))
    await world.server.given(
        SERVICE_ACCOUNTS, ServiceAccount(metadata=ObjectMeta(name="robot", namespace="space"))
    )
    meta = ObjectMeta(name="mine", namespace="space", annotations={ACCOUNT_NAME: "robot"})
    await world.server.given(SECRETS, Secret(metadata=meta, type=LEGACY_TYPE))
    await world.settle()
    filled = await world.user.get(SECRETS, "mine", namespace="space")
    assert filled.data.keys() == {"token", "namespace", "ca.crt"}
    await world.user.delete(SERVICE_ACCOUNTS, "robot", namespace="space")
    await world.settle()
    assert not (await world.user.list(SECRETS, Selection("space"))).items


TRIALS = (Trial(a_token_secret_is_filled, (serviceaccount_token.build,), writes=2),)

"""Tokens in Secrets that nobody uses any more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from controllers import legacy_serviceaccount_token_cleaner
from controllers.core.caches import Caches
from controllers.core.controller import Controller, Settings
from machinery.model.k8s.core_v1 import ConfigMap, ObjectReference, Secret, ServiceAccount
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.requests import Selection
from machinery.model.resources import CONFIG_MAPS, NAMESPACES, SECRETS, SERVICE_ACCOUNTS
from machinery.model.tokens import (
    ACCOUNT_NAME,
    INVALID_SINCE,
    LAST_USED,
    LEGACY_TYPE,
    TRACKED_SINCE,
    TRACKING,
    TRACKING_NAMESPACE,
)
from tests.support import builders
from tests.support.controller_crashes import CrashWorld
from tests.support.trials.trial import Trial

_PERIOD_S = 60.0
_LONG_AGO = "2020-01-01"
_NAMES = ("fresh", "invalid", "unused")


def build(caches: Caches, settings: Settings) -> Controller[Any]:
    """Build the controller with a short period."""
    return legacy_serviceaccount_token_cleaner.build(
        caches, replace(settings, legacy_token_period_s=_PERIOD_S)
    )


async def tokens_are_not_used(world: CrashWorld) -> None:
    """One is marked, one that was marked long ago goes, and those stay that are used or were made by somebody."""
    await world.server.given(NAMESPACES, builders.namespace("space"))
    tracking = ObjectMeta(name=TRACKING, namespace=TRACKING_NAMESPACE)
    await world.server.given(CONFIG_MAPS, ConfigMap(metadata=tracking, data={TRACKED_SINCE: _LONG_AGO}))
    account = ServiceAccount(
        metadata=ObjectMeta(name="robot", namespace="space"),
        secrets=[ObjectReference(name=name) for name in _NAMES],
    )
    await world.server.given(SERVICE_ACCOUNTS, account)
    today = world.clock.timescale.format(world.clock.now())[:10]
    labels = {"fresh": {LAST_USED: today}, "invalid": {INVALID_SINCE: _LONG_AGO}}
    for name in (*_NAMES, "manual"):
        meta = ObjectMeta(
            name=name,
            namespace="space",
            annotations={ACCOUNT_NAME: "robot"},
            labels=labels.get(name, {}),
        )
        await world.server.given(SECRETS, Secret(metadata=meta, type=LEGACY_TYPE))
    await world.live(2 * _PERIOD_S)
    await world.settle()
    left = {each.metadata.name: each for each in (await world.user.list(SECRETS, Selection("space"))).items}
    assert left.keys() == {"fresh", "manual", "unused"}
    assert {name for name, each in left.items() if INVALID_SINCE in each.metadata.labels} == {"unused"}


TRIALS = (Trial(tokens_are_not_used, (build,), writes=2),)

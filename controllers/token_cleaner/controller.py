"""What the token cleaner watches and looks at, and what it plans."""

from __future__ import annotations

from controllers.core.actions import NO_FACTS, Facts, Plan, delete
from controllers.core.bootstrap_secrets import TOKENS, lasts_s
from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.keys import itself
from controllers.core.moment import Moment
from machinery.model.k8s.core_v1 import Secret
from machinery.model.resources import SECRETS


def build(caches: Caches, _settings: Settings) -> Controller[Secret]:
    """Build the controller."""
    secrets = caches.ask(SECRETS, TOKENS, fields=("data",))

    def look(key: Key, _moment: Moment) -> Secret | None:
        return secrets.store.get(*key)

    return Controller(
        "token-cleaner", (Watched(secrets, itself),), look, plan, writes=frozenset({"delete secrets"})
    )


def plan(secret: Secret, moment: Moment, _facts: Facts = NO_FACTS) -> Plan:
    """Delete a token whose time is over."""
    left_s = lasts_s(secret, moment)
    return Plan((delete(SECRETS, secret),)) if left_s == 0 else Plan(requeue_after_s=left_s)

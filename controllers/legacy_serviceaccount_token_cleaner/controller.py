"""What the cleaner of legacy tokens watches and looks at."""

from __future__ import annotations

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.keys import itself
from controllers.core.moment import Moment
from controllers.legacy_serviceaccount_token_cleaner.plan import Seen, plan
from machinery.model.requests import Selection
from machinery.model.resources import SECRETS
from machinery.model.tokens import LEGACY_TYPE


def build(caches: Caches, settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    secrets = caches.ask(
        SECRETS,
        Selection(field_selector=f"type={LEGACY_TYPE}"),
        fields=("metadata.annotations", "metadata.labels"),
    )

    def look(key: Key, _moment: Moment) -> Seen | None:
        secret = secrets.store.get(*key)
        return Seen(secret, settings.legacy_token_period_s) if secret is not None else None

    return Controller(
        "legacy-serviceaccount-token-cleaner",
        (Watched(secrets, itself),),
        look,
        plan,
        writes=frozenset({"patch secrets", "delete secrets"}),
    )

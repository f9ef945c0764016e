"""What the filling of token Secrets watches and looks at."""

from __future__ import annotations

from collections.abc import Iterable

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.keys import itself
from controllers.core.moment import Moment
from controllers.serviceaccount_token.plan import Seen, account_of, plan
from machinery.model.k8s.core_v1 import Secret, ServiceAccount
from machinery.model.requests import Selection
from machinery.model.resources import SECRETS, SERVICE_ACCOUNTS
from machinery.model.store import Change
from machinery.model.tokens import LEGACY_TYPE

_BY_ACCOUNT = "account"


def build(caches: Caches, settings: Settings) -> Controller[Seen]:
    """Build the controller; without a key it fills nothing."""
    accounts = caches.ask(SERVICE_ACCOUNTS, fields=())
    secrets = caches.ask(
        SECRETS,
        Selection(field_selector=f"type={LEGACY_TYPE}"),
        fields=("metadata.annotations", "data"),
        indexes={_BY_ACCOUNT: _account_keys},
    )

    def look(key: Key, _moment: Moment) -> Seen | None:
        secret = secrets.store.get(*key)
        if settings.sign_token is None or secret is None or not account_of(secret):
            return None
        account = accounts.store.get(key[0], account_of(secret))
        return Seen(secret, account, settings.root_ca, settings.sign_token)

    def secrets_of(change: Change[ServiceAccount]) -> Iterable[Key]:
        """Return the Secrets of an account."""
        meta = change.object.metadata
        found = secrets.store.by_index(_BY_ACCOUNT, f"{meta.namespace}/{meta.name}")
        return [(meta.namespace, each.metadata.name) for each in found]

    watched = (Watched(secrets, itself), Watched(accounts, secrets_of))
    return Controller(
        "legacy-serviceaccount-token-controller",
        watched,
        look,
        plan,
        writes=frozenset({"patch secrets", "delete secrets"}),
    )


def _account_keys(secret: Secret) -> Iterable[str]:
    return (f"{secret.metadata.namespace}/{account_of(secret)}",)

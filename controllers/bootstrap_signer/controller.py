"""What the bootstrap signer watches and looks at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from controllers.bootstrap_signer.plan import CLUSTER_INFO, NAMESPACE, Seen, plan
from controllers.core.bootstrap_secrets import TOKENS
from controllers.core.caches import Caches
from controllers.core.controller import EVERYTHING_AT_ONCE, Controller, Key, Settings, Watched
from controllers.core.moment import Moment
from machinery.model.requests import Selection
from machinery.model.resources import CONFIG_MAPS, SECRETS
from machinery.model.store import Change


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    selection = Selection(namespace=NAMESPACE, field_selector=f"metadata.name={CLUSTER_INFO}")
    infos = caches.ask(CONFIG_MAPS, selection)
    secrets = caches.ask(SECRETS, TOKENS, fields=("data",))

    def look(_key: Key, _moment: Moment) -> Seen | None:
        info = infos.store.get(NAMESPACE, CLUSTER_INFO)
        return Seen(info, secrets.store.list()) if info is not None else None

    def everything(_change: Change[Any]) -> Iterable[Key]:
        return (EVERYTHING_AT_ONCE,)

    return Controller(
        "bootstrap-signer",
        (Watched(infos, everything), Watched(secrets, everything)),
        look,
        plan,
        writes=frozenset({"patch configmaps"}),
    )

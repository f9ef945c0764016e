"""What the cleaning of requests watches and looks at."""

from __future__ import annotations

from controllers.certificate_cleaning.plan import Seen, plan
from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.keys import itself
from controllers.core.moment import Moment
from machinery.model.resources import CERTIFICATE_SIGNING_REQUESTS


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    requests = caches.ask(CERTIFICATE_SIGNING_REQUESTS)

    def look(key: Key, _moment: Moment) -> Seen | None:
        request = requests.store.get("", key[1])
        return None if request is None else Seen(request)

    return Controller(
        "certificatesigningrequest-cleaner-controller",
        (Watched(requests, itself),),
        look,
        plan,
        writes=frozenset({"delete certificatesigningrequests.certificates.k8s.io"}),
    )

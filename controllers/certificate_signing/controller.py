"""What the signers watch and look at."""

from __future__ import annotations

from controllers.certificate_signing.plan import Seen, plan
from controllers.core.caches import Caches
from controllers.core.certificate_requests import SIGNERS, condition_of, read_requested
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.keys import itself
from controllers.core.moment import Moment
from machinery.model.resources import CERTIFICATE_SIGNING_REQUESTS


def build(caches: Caches, settings: Settings) -> Controller[Seen]:
    """Build the controller; without an authority it signs nothing."""
    requests = caches.ask(CERTIFICATE_SIGNING_REQUESTS)
    sign = settings.sign_certificate

    def look(key: Key, _moment: Moment) -> Seen | None:
        request = requests.store.get("", key[1])
        if sign is None or request is None or request.spec.signerName not in SIGNERS:
            return None
        if request.status.certificate or condition_of(request, "Approved") is None:
            return None
        if condition_of(request, "Denied") is not None or condition_of(request, "Failed") is not None:
            return None
        return Seen(request, read_requested(request.spec.request), sign, settings.signing_duration_s)

    return Controller(
        "certificatesigningrequest-signing-controller",
        (Watched(requests, itself),),
        look,
        plan,
        writes=frozenset({"patch certificatesigningrequests.certificates.k8s.io/status"}),
    )

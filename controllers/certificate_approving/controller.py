"""What the approval of kubelets' requests watches and looks at."""

from __future__ import annotations

from controllers.certificate_approving.plan import Seen, plan
from controllers.core.caches import Caches
from controllers.core.certificate_requests import (
    CLIENT,
    KUBELET_CLIENT,
    KUBELET_SERVING,
    is_decided,
    read_requested,
)
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.keys import itself
from controllers.core.moment import Moment
from machinery.model.resources import CERTIFICATE_SIGNING_REQUESTS

_SIGNERS = (KUBELET_CLIENT, KUBELET_SERVING, CLIENT)


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    requests = caches.ask(CERTIFICATE_SIGNING_REQUESTS)

    def look(key: Key, _moment: Moment) -> Seen | None:
        request = requests.store.get("", key[1])
        if request is None or request.spec.signerName not in _SIGNERS:
            return None
        if is_decided(request) or request.status.certificate:
            return None
        asked = read_requested(request.spec.request)
        return None if asked is None else Seen(request, asked)

    return Controller(
        "certificatesigningrequest-approving-controller",
        (Watched(requests, itself),),
        look,
        plan,
        writes=frozenset({"patch certificatesigningrequests.certificates.k8s.io/approval"}),
    )

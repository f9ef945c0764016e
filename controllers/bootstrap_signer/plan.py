"""Plan the signatures of `cluster-info`."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from hmac import digest
from typing import Final

import msgspec

from controllers.core.actions import NO_FACTS, NOTHING_TO_DO, Facts, Plan, soonest
from controllers.core.bootstrap_secrets import lasts_s, signing_token
from controllers.core.merge_patch import patch_at_revision
from controllers.core.moment import Moment
from machinery.model.k8s.core_v1 import ConfigMap, Secret
from machinery.model.resources import CONFIG_MAPS

CLUSTER_INFO: Final = "cluster-info"
NAMESPACE: Final = "kube-public"
_KUBECONFIG: Final = "kubeconfig"
_SIGNATURE: Final = "jws-kubeconfig-"  # the token's id follows


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    info: ConfigMap
    secrets: Sequence[Secret]


def plan(seen: Seen, moment: Moment, _facts: Facts = NO_FACTS) -> Plan:
    """Write the signatures of the tokens that there are, and of no others."""
    content = seen.info.data.get(_KUBECONFIG)
    if content is None:
        return NOTHING_TO_DO
    tokens = dict(filter(None, (signing_token(secret, moment) for secret in seen.secrets)))
    wanted = {f"{_SIGNATURE}{token_id}": sign(content, token_id, key) for token_id, key in tokens.items()}
    known = {key: text for key, text in seen.info.data.items() if key.startswith(_SIGNATURE)}
    changed = {key: wanted.get(key) for key in sorted({*wanted, *known}) if wanted.get(key) != known.get(key)}
    actions = (patch_at_revision(CONFIG_MAPS, seen.info, {"data": changed}),) if changed else ()
    return Plan(actions, soonest(*filter(None, (lasts_s(secret, moment) for secret in seen.secrets))))


def sign(content: str, token_id: str, key: str) -> str:
    """Return a JWS (RFC 7515, HS256) without its payload."""
    header = _encoded(msgspec.json.encode({"alg": "HS256", "kid": token_id}))
    signature = digest(key.encode(), f"{header}.{_encoded(content.encode())}".encode(), sha256)
    return f"{header}..{_encoded(signature)}"


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")

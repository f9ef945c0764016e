"""Secrets of bootstrap tokens: what is in one, and until when it is worth something.

https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/
"""

from __future__ import annotations

from base64 import b64decode
from typing import Final

from controllers.core.moment import Moment
from machinery.model.k8s.core_v1 import Secret
from machinery.model.requests import Selection

NAMESPACE: Final = "kube-system"
TOKENS: Final = Selection(namespace=NAMESPACE, field_selector="type=bootstrap.kubernetes.io/token")
_NAME: Final = "bootstrap-token-"


def text_in(secret: Secret, key: str) -> str:
    """Return a value of a Secret, "" where there is none that is a text."""
    try:
        return b64decode(secret.data.get(key, ""), validate=True).decode()
    except ValueError:
        return ""


def lasts_s(secret: Secret, moment: Moment) -> float | None:
    """Return how long a token lasts, None where it lasts for good; one whose end cannot be read has expired."""
    text = text_in(secret, "expiration")
    if not text:
        return None
    try:
        end_s = moment.at(text)
    except (ValueError, TypeError):
        return 0.0
    return None if end_s is None else max(0.0, end_s - moment.now_s)


def signing_token(secret: Secret, moment: Moment) -> tuple[str, str] | None:
    """Return the id and the secret half of a token that is for signing, None where it is not."""
    token_id, key = text_in(secret, "token-id"), text_in(secret, "token-secret")
    if not token_id or not key or secret.metadata.name != f"{_NAME}{token_id}":
        return None
    if text_in(secret, "usage-bootstrap-signing") != "true" or lasts_s(secret, moment) == 0:
        return None
    return token_id, key

"""Bootstrap tokens: what a new node shows to ask for its first certificate. Each is a Secret of kube-system.

https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping
from hmac import compare_digest
from typing import Any, Final

from machinery.model.clock import Timescale
from machinery.model.tokens import BadToken

TYPE: Final = "bootstrap.kubernetes.io/token"
NAMESPACE: Final = "kube-system"
GROUP: Final = "system:bootstrappers"
_TOKEN: Final = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")
_GROUP: Final = re.compile(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]")


def id_of(token: str) -> str:
    """Return the public half of a bootstrap token; "" where a text is none."""
    found = _TOKEN.fullmatch(token)
    return found[1] if found else ""


def secret_name(token_id: str) -> str:
    """Return the name of a token's Secret."""
    return f"bootstrap-token-{token_id}"


def user_of(
    token: str, secret: Mapping[str, Any], now_s: float, scale: Timescale
) -> tuple[str, tuple[str, ...]]:
    """Return the name and groups of who shows a token; `secret` is that of its id, times are the cluster's.

    Raises:
        BadToken: the Secret is none of this token, has expired, or is not for authentication.
    """
    data = secret.get("data") or {}
    token_id, _, wanted = token.partition(".")
    if secret.get("type") != TYPE or (secret.get("metadata") or {}).get("deletionTimestamp"):
        raise BadToken("there is no such bootstrap token")
    if _text(data, "token-id") != token_id or not compare_digest(_text(data, "token-secret"), wanted):
        raise BadToken("there is no such bootstrap token")
    _check_time(_text(data, "expiration"), now_s, scale)
    if _text(data, "usage-bootstrap-authentication") != "true":
        raise BadToken("the bootstrap token is not for authentication")
    return f"system:bootstrap:{token_id}", (GROUP, *_extra_groups(data))


def _check_time(expires: str, now_s: float, scale: Timescale) -> None:
    try:
        is_over = bool(expires) and now_s >= scale.parse(expires)
    except ValueError as error:
        raise BadToken("the bootstrap token's expiration is no time") from error
    if is_over:
        raise BadToken("the bootstrap token has expired")


def _extra_groups(data: Mapping[str, Any]) -> list[str]:
    text = _text(data, "auth-extra-groups")
    groups = list(dict.fromkeys(text.split(","))) if text else []
    if wrong := [group for group in groups if not _GROUP.fullmatch(group)]:
        raise BadToken(f"the bootstrap token's group {wrong[0]!r} is none of system:bootstrappers")
    return groups


def _text(data: Mapping[str, Any], key: str) -> str:
    try:
        return b64decode(str(data.get(key) or ""), validate=True).decode("ascii")
    except ValueError as error:
        raise BadToken(f"the bootstrap token's {key} is no text") from error

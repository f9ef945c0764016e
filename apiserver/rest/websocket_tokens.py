"""Tokens that come as a protocol of a WebSocket: a browser cannot set the header Authorization of one.

    Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.<token in base64url>, v5.channel.k8s.io

Another protocol has to stand beside it, since a server answers with one of those that are offered, and never with a token.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Final

from multidict import CIMultiDict, CIMultiDictProxy

from apiserver.rest.http_request import HttpRequest
from apiserver.rest.websockets import PROTOCOLS, is_upgrade, offered
from machinery.model.errors import Unauthorized

_PREFIX: Final = "base64url.bearer.authorization.k8s.io."


def take_token(http: HttpRequest) -> str:
    """Return the token that a request offers as a protocol, and remove it from the request; "" where there is none.

    Raises:
        Unauthorized: it is no token, not the only one, or has no other protocol beside it.
    """
    if PROTOCOLS not in http.headers or not is_upgrade(http):
        return ""
    protocols = offered(http)
    tokens = [name for name in protocols if name.startswith(_PREFIX)]
    if not tokens:
        return ""
    others = [name for name in protocols if not name.startswith(_PREFIX)]
    if len(tokens) > 1 or not others:
        raise Unauthorized("Unauthorized")
    headers = CIMultiDict(http.headers)
    headers[PROTOCOLS] = ",".join(others)
    http.headers = CIMultiDictProxy(headers)
    return _decoded(tokens[0].removeprefix(_PREFIX))


def _decoded(encoded: str) -> str:
    try:
        return b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise Unauthorized("Unauthorized") from error

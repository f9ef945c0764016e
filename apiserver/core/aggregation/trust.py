"""The ConfigMap by which extension servers know whom to believe: kube-system/extension-apiserver-authentication.

https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/
What several apiservers require comes together in it: none of them takes away what another one has written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

NAMESPACE: Final = "kube-system"
NAME: Final = "extension-apiserver-authentication"
USER_HEADER: Final = "X-Remote-User"
UID_HEADER: Final = "X-Remote-Uid"
GROUP_HEADER: Final = "X-Remote-Group"
EXTRA_PREFIX: Final = "X-Remote-Extra-"

_BLOCK: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Trust:
    """What an apiserver requires of the ConfigMap; certificates are PEM."""

    client_ca: str
    front_proxy_ca: str = ""  # "": it passes no requests on under its own certificate
    allowed_names: tuple[str, ...] = ()

    def lists(self) -> dict[str, Iterable[str]]:
        """Return the keys that hold lists."""
        return {
            "requestheader-username-headers": (USER_HEADER,),
            "requestheader-uid-headers": (UID_HEADER,),
            "requestheader-group-headers": (GROUP_HEADER,),
            "requestheader-extra-headers-prefix": (EXTRA_PREFIX,),
            "requestheader-allowed-names": self.allowed_names,
        }


def joined(data: dict[str, str], trust: Trust, is_valid: Callable[[str], bool]) -> dict[str, str]:
    """Return what the ConfigMap has to say, from what it says; certificates that are not valid any more go."""
    found = {"client-ca-file": _certificates(data.get("client-ca-file", ""), trust.client_ca, is_valid)}
    authority = _certificates(data.get("requestheader-client-ca-file", ""), trust.front_proxy_ca, is_valid)
    if authority:
        found["requestheader-client-ca-file"] = authority
        for key, names in trust.lists().items():
            both = dict.fromkeys((*_read(data.get(key, "")), *(names if trust.front_proxy_ca else ())))
            found[key] = msgspec.json.encode(list(both)).decode()
    return {key: text for key, text in found.items() if text}


def _certificates(before: str, own: str, is_valid: Callable[[str], bool]) -> str:
    blocks = dict.fromkeys(match[0].strip() for text in (before, own) for match in _BLOCK.finditer(text))
    return "".join(f"{block}\n" for block in blocks if is_valid(block))


def _read(text: str) -> list[str]:
    """Return a list as it is written; none where somebody has written something else."""
    try:
        return msgspec.json.decode(text, type=list[str]) if text else []
    except msgspec.MsgspecError:
        return []

"""What an authorizer gets to know of a request, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

ALL: Final = "*"
MASTERS: Final = "system:masters"  # this group may do everything, whatever RBAC says
AUTHENTICATED: Final = "system:authenticated"
UNAUTHENTICATED: Final = "system:unauthenticated"
ANONYMOUS: Final = "system:anonymous"


class User(Protocol):
    """Who asks (apiserver.request.UserInfo fits)."""

    @property
    def name(self) -> str:
        """The user's name."""
        ...

    @property
    def groups(self) -> tuple[str, ...]:
        """The user's groups."""
        ...


class Attributes(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request: of a resource, or (with `path`) of a URL that is none."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""  # "" for cluster-scoped resources and for all namespaces
    name: str = ""
    path: str = ""  # "/healthz"; "" for a resource
    fields: Mapping[str, str] | None = None  # what a field selector requires; None where that is unknown
    version: str = ""  # of the API group; "" where any is meant
    field_selector: str = ""
    label_selector: str = ""

    @property
    def combined(self) -> str:
        """The resource as rules write it: pods, pods/log."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass(frozen=True, slots=True)
class Decision:
    """Yes, no, or no opinion, and why; none without a reason is the usual one: nothing allows it."""

    allowed: bool
    reason: str = ""
    denied: bool = False  # a no that nobody who is asked later changes


YES: Final = Decision(allowed=True)


def required_fields(selector: str) -> dict[str, str]:
    """Return what a field selector requires to be equal; its other terms restrict further and are left out."""
    if not selector:
        return {}
    terms = (term for term in selector.split(",") if "=" in term and "!=" not in term)
    pairs = (term.replace("==", "=", 1).partition("=") for term in terms)
    return {key.strip(): value.strip() for key, _, value in pairs}

"""What is wanted of the proxy, whichever kind of object says it.

https://kubernetes.io/docs/concepts/services-networking/ingress/
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

ANY_HOST = ""


class Owner(NamedTuple):
    """The object that something is wanted by, or complained about."""

    kind: str
    namespace: str
    name: str
    created: str = ""  # RFC 3339, UTC: the order of texts is that of times

    @property
    def age(self) -> tuple[str, str, str]:
        """What the oldest has least of."""
        return self.created, self.namespace, self.name


class Problem(NamedTuple):
    """Something that is wrong with an object, for its author."""

    owner: Owner
    reason: str  # of an event
    message: str


class PathKind(IntEnum):
    """How a path is compared; what wins among paths of one length is less."""

    EXACT = 0
    PREFIX = 1  # element by element
    REGEX = 2  # from the beginning, without case


@dataclass(frozen=True, slots=True)
class Path:
    """Which paths a rule is about. The value of a prefix has no slash at its end; "" is every path."""

    kind: PathKind
    value: str


class Target(NamedTuple):
    """A port of a Service."""

    namespace: str
    service: str
    port: str  # its number or its name


class Rewrite(NamedTuple):
    """Another path for whoever is behind the rule: `$1` in it is what the first group of `pattern` has matched."""

    pattern: str  # "" replaces the path whatever it is
    target: str


@dataclass(frozen=True, slots=True)
class Options:
    """What becomes of the requests of a rule on their way."""

    redirects_to_tls: bool = False  # what came in the clear
    most_body_bytes: int = 0  # of a request; 0: any number
    rewrite: Rewrite | None = None


NO_OPTIONS = Options()


@dataclass(frozen=True, slots=True)
class Rule:
    """Requests for a host and a path, and where they go.

    Attributes:
        owner: whose rule it is. Of two for the same requests, the older owner's is followed.
        host: exact, in lower case; "*.example.com" for one more label; ANY_HOST for every other host.
        is_default: whether it is followed only where no other rule for the host fits.
    """

    owner: Owner
    host: str
    path: Path
    target: Target
    options: Options = NO_OPTIONS
    is_default: bool = False

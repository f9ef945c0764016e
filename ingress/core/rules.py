"""What is wanted of the proxy, whichever kind of object says it.

https://kubernetes.io/docs/concepts/services-networking/ingress/
"""

from __future__ import annotations

from collections.abc import Iterator
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


def upwards(path: str) -> Iterator[str]:
    """Yield a path and those above it, without slashes at their ends."""
    while path:
        yield path
        path = path.rpartition("/")[0]
    yield ""


class Target(NamedTuple):
    """A port of a Service."""

    namespace: str
    service: str
    port: str  # its number or its name


class Rewrite(NamedTuple):
    """Another path for whoever is behind the rule: `$1` in it is what the first group of `pattern` has matched."""

    pattern: str  # "" replaces the path whatever it is
    target: str


class Headers(NamedTuple):
    """What is done to headers: names with their values, and names in lower case."""

    written: tuple[tuple[str, str], ...] = ()
    added: tuple[tuple[str, str], ...] = ()
    removed: tuple[str, ...] = ()


class Moved(NamedTuple):
    """Another path for whoever is behind the rule, in the place of a prefix, by elements; of the whole path where that is None."""

    prefix: str | None
    target: str  # in a prefix' place without a slash at its end


@dataclass(frozen=True, slots=True)
class Options:
    """What becomes of the requests of a rule on their way.

    Attributes:
        redirects_to_tls: what came in the clear is sent away.
        most_body_bytes: of a request; 0 for any number.
        host: what the Host header is to be, "" for what it is.
        answer_within_ms: how long whoever is asked may be silent; 0 for as long as the proxy's settings say.
        tries_once: whether no other endpoint is asked where one cannot be connected to.
        by_http2: whether endpoints are asked by HTTP/2, in the clear, without being asked first whether they know it.
    """

    redirects_to_tls: bool = False
    most_body_bytes: int = 0
    rewrite: Rewrite | None = None
    host: str = ""
    moved: Moved | None = None
    request_headers: tuple[Headers, ...] = ()
    response_headers: tuple[Headers, ...] = ()
    answer_within_ms: int = 0
    tries_once: bool = False
    by_http2: bool = False


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

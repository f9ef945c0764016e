"""Lines of the proxy's configuration, each with whose it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ingress.core import text
from ingress.core.certificates import Certificate
from ingress.core.rules import Owner


class Line(NamedTuple):
    """A line, and the object that it comes from; None for the proxy's own."""

    text: str
    owner: Owner | None = None


def fixed(*lines: str) -> Iterator[Line]:
    """Yield lines that are nobody's."""
    return map(Line, lines)


def bind_lines(port: int, options: str = "", *, by_ipv6: bool) -> Iterator[str]:
    """Yield where a frontend listens: at a port of IPv4, and of IPv6 as well where the machine has that.

    Two sockets, not one for both: it would show IPv4 clients' addresses as those of IPv6.
    """
    yield f"  bind :{port}{options}"
    if by_ipv6:
        yield f"  bind :::{port} v6only{options}"


def joined(lines: Iterable[Line]) -> bytes:
    """Return the lines as a file."""
    return "".join(f"{line.text}\n" for line in lines).encode()


def map_file(entries: Iterable[tuple[str, str]]) -> bytes:
    """Return a file for look-ups, in the order of the entries.

    Raises:
        UnsafeTextError: a key would be another one.
    """
    return "".join(f"{text.key(key)} {value}\n" for key, value in entries).encode()


def certificate_file(certificate: Certificate) -> str:
    """Return the name of a certificate's file."""
    return f"{text.name(certificate.namespace)}_{text.name(certificate.secret)}.pem"


def certificate_list(certified: Iterable[tuple[str, Certificate]]) -> bytes:
    """Return which certificate is shown to whom: one without hosts to those who ask for a name that is in it."""
    hosts: dict[tuple[str, bool], list[str]] = {}
    for host, certificate in certified:
        hosts.setdefault((certificate_file(certificate), bool(host)), []).append(host)
    lines = [" ".join((name, *map(text.key, filter(None, found)))) for (name, _), found in hosts.items()]
    return "".join(f"{line}\n" for line in lines).encode()

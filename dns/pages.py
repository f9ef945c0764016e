"""What a server in a pod says of itself over HTTP, at CoreDNS' ports and paths: /health, /ready and /metrics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from dns.answering import Tally
from dns.core.records import Code
from machinery.process.control import Answer
from machinery.process.health import Health
from machinery.process.metrics import described, sample

_OURS: Final = {"/health": "/livez", "/ready": "/readyz", "/metrics": "/metrics"}


@dataclass(frozen=True, slots=True)
class HealthPages:
    """The pages, each at every one of the ports: probes find them where they look."""

    health: Health

    def answer(self, method: str, path: str, _body: bytes) -> Answer:
        """Return the response to a request."""
        if method != "GET":
            return Answer(405, b"GET")
        if path not in _OURS:
            return Answer(404, f"there are {', '.join(_OURS)}".encode())
        status, text = self.health.answer(_OURS[path])
        return Answer(status, text.encode())


class AnswerMetrics:
    """Questions and answers, as they were counted."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def lines(self) -> Iterator[str]:
        """Yield the lines of the text format."""
        tally = self._tally
        name = "dns_requests_total"
        yield from described(name, "Questions, by the protocol that they came over", "counter")
        for protocol, number in (("udp", tally.udp), ("tcp", tally.tcp)):
            yield sample(name, ("protocol",), (protocol,), number)
        name = "dns_responses_total"
        yield from described(name, "Answers, by their code", "counter")
        for code, number in enumerate(tally.codes):
            if number:
                yield sample(name, ("code",), (_name(code),), number)
        name = "dns_forwarded_total"
        yield from described(name, "Questions for whose answers others were asked", "counter")
        yield sample(name, (), (), tally.forwarded)


def _name(code: int) -> str:
    with suppress(ValueError):
        return Code(code).name
    return str(code)

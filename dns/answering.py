"""One message in, one answer out.

What the cluster knows is answered at once, from bytes where the same was asked before; for the rest others are asked.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

from dns.core.hot import HotAnswers
from dns.core.messages import (
    MOST_TCP_BYTES,
    Query,
    Refusal,
    Said,
    read_query,
    write_answer,
    write_failure,
    write_orders,
    write_said,
)
from dns.core.records import Code
from dns.core.zone import Answer, Elsewhere, Zone
from dns.forwarder import Forwarder

MOST_HOT: Final = 10_000
_CODE_AT: Final = 3  # the byte of a message that has the code of the answer in its lower half
_CODE: Final = 0xF


class Pending(NamedTuple):
    """A question that others have to answer."""

    query: Query
    elsewhere: Elsewhere
    limit: int


Begun: TypeAlias = bytes | Pending | None
"""An answer, what is still to be asked for one, or None: there is none."""


class Tally:
    """How many there were: plain numbers, since they are counted for each question and read seldom."""

    def __init__(self) -> None:
        self.udp = 0
        self.tcp = 0
        self.forwarded = 0  # questions that others were asked, or would have been
        self.codes = [0] * (_CODE + 1)  # answers, by their code


class Answering:
    """Answers messages."""

    def __init__(self, zone: Zone, hot: HotAnswers, forwarder: Forwarder) -> None:
        self._zone = zone
        self._hot = hot
        self._forwarder = forwarder
        self.tally = Tally()

    def over_udp(self, message: bytes) -> Begun:
        """Answer, or begin to, as a client takes it over UDP."""
        self.tally.udp += 1
        return self._counted(self._hot.get(message) or self._begin(message, over_udp=True))

    def over_tcp(self, message: bytes) -> Begun:
        """Answer, or begin to, in whatever length."""
        self.tally.tcp += 1
        return self._counted(self._begin(message, over_udp=False))

    def _counted(self, begun: Begun) -> Begun:
        if type(begun) is bytes:
            self.tally.codes[begun[_CODE_AT] & _CODE] += 1
        return begun

    async def finish(self, pending: Pending) -> bytes:
        """Return the answer after others have been asked."""
        query, elsewhere, _ = pending
        self.tally.forwarded += 1
        said = await self._forwarder.ask(elsewhere.name, query.kind)
        answer = self._passed_on(pending, said) if isinstance(said, Said) else write_failure(query, said)
        self._counted(answer)
        return answer

    def _begin(self, message: bytes, *, over_udp: bool) -> Begun:
        query = read_query(message)
        if isinstance(query, Refusal):
            return query.answer
        limit = query.udp_bytes if over_udp else MOST_TCP_BYTES
        match self._zone.resolve(query.name, query.kind):
            case Answer() as answer:
                answers = self._written(query, answer, limit)
                if over_udp and query.is_plain and answer.code != Code.SERVFAIL:
                    self._hot.put(message, answers, answer.tags)
                return answers[query.id % len(answers)]
            case Elsewhere() as elsewhere:
                return self._elsewhere(Pending(query, elsewhere, limit))

    def _elsewhere(self, pending: Pending) -> Begun:
        query, elsewhere, _ = pending
        if not query.wants_recursion and not elsewhere.records:
            return write_failure(query, Code.REFUSED)  # nobody is asked for one who does not want it
        said = self._forwarder.known(elsewhere.name, query.kind)
        return pending if said is None else self._passed_on(pending, said)

    def _written(self, query: Query, answer: Answer, limit: int) -> tuple[bytes, ...]:
        if answer.records and answer.records[-1].kind == query.kind:
            return write_orders(query, answer.records, answer.extra, limit)
        authority = (self._zone.authority,)
        return (write_answer(query, answer.records, (), authority, limit, code=answer.code),)

    @staticmethod
    def _passed_on(pending: Pending, said: Said) -> bytes:
        return write_said(pending.query, pending.elsewhere.records, said, pending.limit)

"""What was found of a packet's ways, for people and for programs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kubarium.core.connections import Door, explain
from kubarium.core.net.asked import Destination
from kubarium.core.net.way import Hop, Way
from machinery.model.network_policies import Labels, Party, Policy

_SHOWN: Final = 8  # ways: of a Service with more endpoints the others are counted


@dataclass(frozen=True, slots=True)
class Said:
    """What the API says beside the kernels: policies, and whose an address is."""

    policies: Collection[Policy] = ()
    namespaces: Mapping[str, Labels] = field(default_factory=dict)
    parties: Mapping[str, Party] = field(default_factory=dict)  # by address
    endpoints: frozenset[tuple[str, int]] | None = (
        None  # of the Service, in any state; None: it is about none
    )

    def reasons(self, way: Way) -> Iterator[str]:
        """Say what the API knows about it: which NetworkPolicies are behind a loss, and whether rules are old."""
        packet = way.packet
        if way.is_translated and self.endpoints is not None:
            endpoint = packet.destination, packet.port
            if endpoint not in self.endpoints:
                yield f"{packet.destination}:{packet.port} is no endpoint of the Service: the rules are older (does the node's proxy run?)"
        if way.lost_at != "forward":
            return
        source, target = (self.parties.get(ip, Party(ip)) for ip in (packet.source, packet.destination))
        door = Door(packet.protocol.upper(), packet.port)
        found = explain(
            source, target, door, policies=self.policies, namespaces=self.namespaces, node_addresses={}
        )
        if found.is_allowed:
            yield "the policies of the API let it through: the rules are older, or its pod's address is not known there yet"
        for direction, is_allowed, why in found.reasons:
            if not is_allowed:
                yield f"{direction.lower()}: {why}"


@dataclass(frozen=True, slots=True)
class Journey:
    """One destination, and all the ways to it."""

    destination: Destination
    ways: tuple[Way, ...]

    @property
    def arrives(self) -> bool:
        """Whether no way is lost, and there is one."""
        return bool(self.ways) and not any(way.loss for way in self.ways)


@dataclass(frozen=True, slots=True)
class Report:
    """All that was asked for."""

    target: str
    source: str
    notes: tuple[tuple[str, str], ...]  # what, for instance "name", and what is so
    journeys: tuple[Journey, ...]
    said: Said = field(default_factory=Said)

    @property
    def arrives(self) -> bool:
        """Whether no packet is lost."""
        return all(journey.arrives for journey in self.journeys)

    def lines(self) -> Iterator[str]:
        """Write it for people."""
        yield f"{self.target}, from {self.source}"
        width = max((len(what) for what, _ in self.notes), default=0)
        for what, text in self.notes:
            yield f"  {what:<{width}}  {text}"
        for journey in self.journeys:
            yield ""
            yield from self._journey(journey)

    def document(self) -> dict[str, Any]:
        """Write it for programs."""
        return {
            "target": self.target,
            "from": self.source,
            "notes": [{"what": what, "text": text} for what, text in self.notes],
            "arrives": self.arrives,
            "destinations": [
                {
                    **journey.destination._asdict(),
                    "ways": [self._way_document(way) for way in journey.ways],
                }
                for journey in self.journeys
            ],
        }

    def _journey(self, journey: Journey) -> Iterator[str]:
        address, protocol, port = journey.destination
        yield f"{protocol} to {address}:{port}"
        shared = _shared([way.hops for way in journey.ways])
        yield from _hops(journey.ways[0].hops[:shared] if journey.ways else (), "  ")
        if len(journey.ways) == 1:
            yield from self._rest(journey.ways[0], shared, "  ")
            return
        yield f"  one of {len(journey.ways)} ways, by chance:"
        for number, way in enumerate(journey.ways[:_SHOWN], start=1):
            yield f"  {number}. to {way.packet.destination}:{way.packet.port}"
            yield from self._rest(way, shared, "     ")
        if others := journey.ways[_SHOWN:]:
            lost = sum(bool(way.loss) for way in others)
            yield f"  … and {len(others)} more, of which {lost} are lost (-o json shows all)"

    def _rest(self, way: Way, shared: int, indent: str) -> Iterator[str]:
        yield from _hops(way.hops[shared:], indent)
        if way.loss:
            yield f"{indent}LOST: {way.loss}"
        yield from (f"{indent}  {reason}" for reason in self.said.reasons(way))

    def _pod_of(self, way: Way) -> str:
        party = self.said.parties.get(way.packet.destination)
        return f"{party.pod.namespace}/{party.pod.name}" if party and party.pod else ""

    def _way_document(self, way: Way) -> dict[str, Any]:
        return {
            "end": "lost" if way.loss else "left" if way.is_left else "arrives",
            "loss": way.loss,
            "reasons": list(self.said.reasons(way)),
            "pod": self._pod_of(way),
            "destination": f"{way.packet.destination}:{way.packet.port}",
            "source": way.packet.source,
            "hops": [
                {
                    "place": hop.place,
                    "what": hop.what,
                    "rules": [
                        {"chain": match.chain, "rule": match.text, "found": match.found}
                        for match in hop.matches
                    ],
                }
                for hop in way.hops
            ],
        }


def _shared(ways: Sequence[Sequence[Hop]]) -> int:
    """Return how many hops all ways have in common at their beginning."""
    if len(ways) < 2:
        return 0
    first = ways[0]
    return next(
        (at for at in range(len(first)) if any(at >= len(way) or way[at] != first[at] for way in ways)),
        len(first),
    )


def _hops(hops: Iterable[Hop], indent: str) -> Iterator[str]:
    for hop in hops:
        yield f"{indent}{hop.place}: {hop.what}"
        for match in hop.matches:
            chain = f"{match.chain}: " if match.chain not in {hop.what, ""} else ""
            yield f"{indent}    {chain}{match.text}"
            if match.found:
                yield f"{indent}      {match.found}"

"""The lines and tables of the proxy's configuration for the Gateways: one frontend with a port for each door of each of them.

    gateway-ports.map     the proxy's port: the one that clients know
    gateway-hosts.map     host and port: which list of rules counts
    gateway-suffixes.map  likewise what host and port end with, the longest first
    gateway-exact.map     list and path: the backend, or what is to be gone through
    gateway-prefix.map    list and the beginning of a path, likewise
    gateway-PORT.list     certificates and the hosts that they are shown to

https://docs.haproxy.org/2.6/configuration.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from ingress.core import text
from ingress.core.backends import digest
from ingress.core.certificates import Certificate
from ingress.core.gateway.planning import Port, Site
from ingress.core.gateway.precedence import Action, Answer, Candidates, Entry
from ingress.core.gateway.rules import Backends, Conditions, Value
from ingress.core.lines import Line, bind_lines, certificate_file, certificate_list, fixed, map_file
from ingress.core.rules import Owner, PathKind
from ingress.core.steps import header_lines, moving_lines

PORTS: Final = "gateway-ports.map"
HOSTS: Final = "gateway-hosts.map"
SUFFIXES: Final = "gateway-suffixes.map"
EXACT: Final = "gateway-exact.map"
PREFIX: Final = "gateway-prefix.map"
FRONTEND: Final = "gateway"
FAULT: Final = "answer.fault"
UNAVAILABLE: Final = "answer.unavailable"  # likewise, for calls of gRPC
_FAULT_TEXT: Final = "the rule for this request has no backend that can be had\\n"
_UNAVAILABLE: Final = (
    "http-request return status 200 hdr Content-Type application/grpc hdr grpc-status 14"
    " hdr grpc-message 'the rule for this call has no backend that can be had'"
)


class Rendered(NamedTuple):
    """Lines and files, and the certificates that are among those."""

    lines: Sequence[Line]
    files: Mapping[str, bytes]
    certificates: Mapping[str, Certificate]


def render_site(
    site: Site, default_certificate: str, request_lines: Sequence[str], *, by_ipv6: bool = False
) -> Rendered:
    """Return what is to be configured: nothing without Gateways.

    Raises:
        UnsafeTextError: something cannot be written; planning has left that out.
    """
    if not site.ports:
        return Rendered((), {}, {})
    outcomes = _Outcomes()
    tables = site.tables
    files = {
        PORTS: map_file((str(each.number), str(each.shown)) for each in site.ports),
        HOSTS: map_file(sorted(tables.hosts.items())),
        SUFFIXES: map_file(tables.suffixes),
        EXACT: map_file((key, outcomes.of(found)) for key, found in sorted(tables.exact.items())),
        PREFIX: map_file((key, outcomes.of(found)) for key, found in sorted(tables.prefix.items())),
    }
    for port in site.ports:
        if port.is_tls:
            files[_list(port)] = certificate_list(port.certified)
    certificates = {certificate_file(each): each for port in site.ports for _, each in port.certified}
    lines = [
        *fixed(
            f"frontend {FRONTEND}",
            *(line for each in site.ports for line in _bind(each, default_certificate, by_ipv6=by_ipv6)),
        ),
        *_looking_up(request_lines),
        *outcomes.lines(),
        *fixed(
            "  use_backend %[var(txn.route)] if { var(txn.route) -m found }", "  default_backend not-found"
        ),
        *outcomes.answers(),
    ]
    return Rendered(lines, files, certificates)


def _list(port: Port) -> str:
    return f"gateway-{port.number}.list"


def _bind(port: Port, default_certificate: str, *, by_ipv6: bool) -> Iterator[str]:
    if not port.is_tls:
        return bind_lines(port.number, by_ipv6=by_ipv6)
    # who asks for a name that nobody has is shown the certificate of the listener for every host
    for_all = next((certificate_file(each) for host, each in port.certified if not host), default_certificate)
    options = f" ssl crt {for_all} crt-list {_list(port)} alpn h2,http/1.1"
    return bind_lines(port.number, options, by_ipv6=by_ipv6)


def _looking_up(request_lines: Sequence[str]) -> Iterator[Line]:
    unless = "unless {{ var(txn.{}) -m found }}".format
    yield from fixed(
        *request_lines,
        f"  http-request set-header X-Forwarded-Port %[dst_port,map_str({PORTS})]",
        f"  http-request set-var(txn.host) str(-) {unless('host')}",
        "  http-request set-var(txn.port) dst_port",
        "  http-request set-var(txn.place) var(txn.host),concat(/,txn.port)",
        f"  http-request set-var(txn.rules) var(txn.place),map_str({HOSTS})",
        f"  http-request set-var(txn.rules) var(txn.place),map_end({SUFFIXES}) {unless('rules')}",
        "  http-request set-var(txn.key) var(txn.rules),concat(,txn.path) if { var(txn.rules) -m found }",
        f"  http-request set-var(txn.route) var(txn.key),map_str({EXACT})",
        f"  http-request set-var(txn.route) var(txn.key),concat(/),map_beg({PREFIX}) {unless('route')}",
    )


class _Outcomes:
    """What the tables say, and the lines that follow from it where that is no backend."""

    def __init__(self) -> None:
        self._candidates: dict[Candidates, str] = {}
        self._splits: dict[tuple[Backends, str], tuple[str, Owner]] = {}
        self._answers: dict[str, tuple[Answer, Owner | None]] = {}
        self._tests: dict[str, str] = {}

    def of(self, candidates: Candidates) -> str:
        """Return what a table says: a backend, or what is to be gone through."""
        if candidates[0].conditions.is_only_path:
            return self._of_entry(candidates[0])
        for each in candidates:
            self._of_entry(each)
        return self._candidates.setdefault(candidates, f"candidates:{len(self._candidates) + 1}")

    def lines(self) -> Iterator[Line]:
        """Yield the rules that go through candidates, and then those that share requests out."""
        for candidates, name in self._candidates.items():
            for entry in candidates:
                yield from self._trying(name, entry)
        for (backends, fault), (name, owner) in self._splits.items():
            here = f"{{ var(txn.route) -m str {name} }}"
            ends = list(accumulate(each.weight for each in backends))
            yield Line(f"  http-request set-var(txn.share) rand({ends[-1]}) if {here}", owner)
            for part, end in zip(backends, ends, strict=True):
                to = part.backend.name if part.backend is not None else self._fault(fault)
                below = f"{{ var(txn.share) -m int lt {end} }}"
                yield Line(f"  http-request set-var(txn.route) str({to}) if {here} {below}", owner)

    def answers(self) -> Iterator[Line]:
        """Yield the backends that nobody stands behind."""
        for name, (answer, owner) in self._answers.items():
            yield Line(f"backend {name}", owner)
            for line in (_UNAVAILABLE,) if name == UNAVAILABLE else _answering(answer):
                yield Line(f"  {line}", owner)

    def _of_entry(self, entry: Entry) -> str:
        return self._of_action(entry.action, entry.owner)

    def _of_action(self, action: Action, owner: Owner) -> str:
        fault = UNAVAILABLE if owner.kind == "GRPCRoute" else FAULT
        if isinstance(action, Answer):
            if action.sent is None and (fault is UNAVAILABLE or not action.response_headers):
                return self._fault(fault)
            name = f"answer.{digest(action)}"
            self._answers.setdefault(name, (action, owner))
            return name
        if len(action) > 1:
            return self._splits.setdefault((action, fault), (f"shares:{len(self._splits) + 1}", owner))[0]
        [part] = action
        return part.backend.name if part.backend is not None else self._fault(fault)

    def _fault(self, name: str) -> str:
        self._answers.setdefault(name, (Answer(), None))
        return name

    def _trying(self, name: str, entry: Entry) -> Iterator[Line]:
        words = [f"{{ var(txn.route) -m str {name} }}"]
        for test in _tests(entry.conditions):
            if test not in self._tests:
                self._tests[test] = f"test-{len(self._tests) + 1}"
                yield Line(f"  acl {self._tests[test]} {test}", entry.owner)
            words.append(self._tests[test])
        to = self._of_entry(entry)
        yield Line(f"  http-request set-var(txn.route) str({to}) if {' '.join(words)}", entry.owner)


def _tests(conditions: Conditions) -> Iterator[str]:
    if conditions.path.kind is PathKind.REGEX:
        yield f"var(txn.path) -m reg -- {_whole(conditions.path.value)}"
    if conditions.method:
        yield f"method {text.word(conditions.method)}"
    for each in conditions.headers:
        yield f"{text.word(f'req.fhdr({each.name})')} {_comparison(each)}"
    for each in conditions.parameters:
        yield f"{text.word(f'url_param({each.name}),url_dec(1)')} {_comparison(each)}"


def _comparison(value: Value) -> str:
    return f"-m reg -- {_whole(value.value)}" if value.is_pattern else f"-m str -- {text.word(value.value)}"


def _whole(pattern: str) -> str:
    return text.word(f"^(?:{pattern})$")


def _answering(answer: Answer) -> Iterator[str]:
    yield from header_lines("http-after-response", answer.response_headers)
    sent = answer.sent
    if sent is None:
        yield f'http-request return status 500 content-type text/plain string "{_FAULT_TEXT}"'
        return
    yield from moving_lines(sent.moved)
    port = f":{sent.port}" if sent.port else ""
    host = text.literal(sent.host) if sent.host else "%[var(txn.host)]"
    location = text.word(f"{sent.scheme}://{host}{port}%[pathq]")
    yield f"http-request redirect location {location} code {sent.code}"

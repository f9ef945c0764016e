"""The configuration of HAProxy: files, and whose each part of them is.

    haproxy.cfg   the sections: one frontend, a backend for each port of a Service and what becomes of its requests
    hosts.map     the hosts that have rules
    exact.map     host and path: the backend, or the list of candidates
    prefix.map    host and the beginning of a path, likewise
    certs.list    certificates and the hosts that they are shown to; then the certificates themselves
    body-limit.lua  what counts bodies of requests, where there is a limit

Endpoints are written into it, too, so that the proxy has them when it begins; they change without a new configuration.

https://docs.haproxy.org/2.6/configuration.html
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ingress.core import body_limit, text
from ingress.core.backends import BackendKey
from ingress.core.certificates import Certificate
from ingress.core.gateway.planning import Site
from ingress.core.gateway.rendering import render_site
from ingress.core.lines import Line, bind_lines, certificate_file, certificate_list, fixed, joined, map_file
from ingress.core.routing import EVERY_OTHER, Tables
from ingress.core.rules import Options, Owner, PathKind, Rule
from ingress.core.servers import Places, Server
from ingress.core.steps import step_lines

MAIN: Final = "haproxy.cfg"
HOSTS: Final = "hosts.map"
EXACT: Final = "exact.map"
PREFIX: Final = "prefix.map"
CERTIFICATES: Final = "certs.list"
DEFAULT_CERTIFICATE: Final = "default.pem"
NOBODY: Final = "not-found"
FREE: Final = "127.0.0.1:1"  # the address of a free place, which is out of service
_VERSION: Final = "configuration-"
_SCHEME_HEADERS: Final = ("X-Forwarded-Proto", "X-Forwarded-Scheme", "X-Scheme")
_AT_LINE: Final = re.compile(r"haproxy\.cfg:(\d+)\]")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the process is told of the proxy. Times in seconds of the wall."""

    http_port: int
    https_port: int
    health_port: int
    admin_socket: str
    control_socket: str
    connections: int
    logs_requests: bool
    connect_s: float
    idle_s: float
    tunnel_s: float
    old_s: float  # how long a proxy of before may finish what it has
    by_ipv6: bool = False  # whether clients come by IPv6, too


@dataclass(frozen=True, slots=True)
class Content:
    """What is to be configured."""

    tables: Tables
    backends: Mapping[BackendKey, Owner]
    certified: Mapping[str, Certificate]  # by host
    default_certificate: bytes
    site: Site = field(default_factory=Site)


@dataclass(frozen=True, slots=True)
class Configuration:
    """Files by name, and whose they are.

    Attributes:
        version: tells two configurations apart; the proxy that has one says so.
        places: of each backend, as they are written into the files; they take no part in the version.
    """

    version: str
    files: Mapping[str, bytes]
    places: Mapping[str, Places]
    lines: Sequence[Owner | None]
    file_owners: Mapping[str, Owner]

    def blame(self, said: str) -> Owner | None:
        """Return whose part of the configuration the proxy complains about, by what it said."""
        for name, owner in self.file_owners.items():
            if name in said:
                return owner
        for match in _AT_LINE.finditer(said):
            line = int(match[1]) - 1
            if line < len(self.lines) and (found := self.lines[line]) is not None:
                return found
        return None


def render(content: Content, places: Mapping[str, Places], settings: Settings) -> Configuration:
    """Write the configuration.

    Raises:
        UnsafeTextError: something cannot be written; planning has left that out.
    """
    groups = _Groups()
    files = {
        HOSTS: map_file((host, host) for host in sorted(content.tables.hosts)),
        EXACT: map_file((key, groups.outcome(found)) for key, found in sorted(content.tables.exact.items())),
        PREFIX: map_file(
            (key, groups.outcome(found)) for key, found in sorted(content.tables.prefix.items())
        ),
        DEFAULT_CERTIFICATE: content.default_certificate,
    }
    certificates = {certificate_file(each): each for each in content.certified.values()}
    site = render_site(content.site, DEFAULT_CERTIFICATE, _request_lines(), by_ipv6=settings.by_ipv6)
    files |= site.files
    certificates |= site.certificates
    files |= {name: each.pem for name, each in certificates.items()}
    files[CERTIFICATES] = certificate_list(sorted(content.certified.items()))
    middle = [*_frontend(settings), *groups.lines(), *_endings(settings), *site.lines]
    backends = [line for key, owner in _in_order(content.backends) for line in _backend(key, owner, settings)]
    has_limits = any(key.options.most_body_bytes for key in content.backends)
    programs = {body_limit.FILE: body_limit.PROGRAM} if has_limits else {}
    files |= programs
    version = _digest(joined([*_global(settings, "", programs), *middle, *backends]), files, places)
    lines = [*_global(settings, version, programs), *middle]
    for key, owner in _in_order(content.backends):
        lines += [*_backend(key, owner, settings), *_servers(places[key.name], owner, key.options)]
    files[MAIN] = joined(lines)
    owners = {name: Owner("Secret", each.namespace, each.secret) for name, each in certificates.items()}
    return Configuration(version, files, dict(places), [line.owner for line in lines], owners)


def server_name(place: int) -> str:
    """Return what a place is called in the proxy."""
    return f"s{place + 1}"


def address_of(server: Server | None) -> str:
    """Return an endpoint's address as the configuration has it."""
    if server is None:
        return FREE
    return f"[{server.ip}]:{server.port}" if ":" in server.ip else f"{server.ip}:{server.port}"


class _Groups:
    """The lists of candidates that no look-up can decide between."""

    def __init__(self) -> None:
        self._found: dict[tuple[Rule, ...], str] = {}

    def outcome(self, candidates: tuple[Rule, ...]) -> str:
        """Return what a table says: a backend, or a list."""
        first = candidates[0]
        if first.path.kind is not PathKind.REGEX:
            return BackendKey(first.target, first.options).name
        return self._found.setdefault(candidates, f"candidates:{len(self._found) + 1}")

    def lines(self) -> Iterator[Line]:
        """Yield the rules that go through the lists; what has been decided is no list any more."""
        patterns: dict[str, str] = {}
        for candidates, name in self._found.items():
            for rule in candidates:
                condition = f"{{ var(txn.route) -m str {name} }}"
                if rule.path.kind is PathKind.REGEX:
                    if rule.path.value not in patterns:
                        patterns[rule.path.value] = f"pattern-{len(patterns) + 1}"
                        acl = f"acl {patterns[rule.path.value]} var(txn.path) -m reg -i --"
                        yield Line(f"  {acl} {text.word('^' + rule.path.value)}", rule.owner)
                    condition += f" {patterns[rule.path.value]}"
                backend = BackendKey(rule.target, rule.options).name
                yield Line(f"  http-request set-var(txn.route) str({backend}) if {condition}", rule.owner)


def _global(settings: Settings, version: str, programs: Iterable[str]) -> Iterator[Line]:
    log = ["  option httplog"] if settings.logs_requests else []
    yield from fixed(
        "global",
        f"  description {_VERSION}{version}",
        "  default-path config",
        f"  stats socket {text.word(settings.admin_socket)} mode 600 level admin expose-fd listeners",
        f"  hard-stop-after {_ms(settings.old_s)}",
        "  log stdout format raw local0 info",
        f"  maxconn {settings.connections}",
        "  ssl-default-bind-options ssl-min-ver TLSv1.2",
        "  tune.ssl.default-dh-param 2048",
        *(f"  lua-load {each}" for each in programs),
        "defaults",
        "  mode http",
        "  log global",
        "  option dontlognull",
        *log,
        "  option idle-close-on-response",
        "  option redispatch 1",
        "  retries 3",
        "  retry-on conn-failure empty-response",
        "  balance random",
        f"  timeout connect {_ms(settings.connect_s)}",
        f"  timeout client {_ms(settings.idle_s)}",
        f"  timeout server {_ms(settings.idle_s)}",
        f"  timeout http-request {_ms(settings.idle_s)}",
        f"  timeout http-keep-alive {_ms(settings.idle_s)}",
        f"  timeout tunnel {_ms(settings.tunnel_s)}",
    )


def _request_lines() -> tuple[str, ...]:
    """Return what is done to every request, from whatever kind of object its rule comes."""
    return (
        "  http-request disable-l7-retry unless { method GET HEAD OPTIONS }",
        "  http-request set-header X-Request-ID %[uuid()] unless { req.hdr(X-Request-ID) -m found }",
        "  http-request set-header X-Real-IP %[src]",
        "  http-request set-header X-Forwarded-For %[src]",
        "  http-request set-header X-Forwarded-Host %[req.hdr(host)]",
        *(f"  http-request set-header {each} http unless {{ ssl_fc }}" for each in _SCHEME_HEADERS),
        *(f"  http-request set-header {each} https if {{ ssl_fc }}" for each in _SCHEME_HEADERS),
        "  http-request set-var(txn.path) path",
        "  http-request set-var(txn.host) req.hdr(host),host_only,lower",
    )


def _frontend(settings: Settings) -> Iterator[Line]:
    other = f"var(txn.host),regsub(^[^.]+,*),map_str({HOSTS})"
    certificates = f"crt {DEFAULT_CERTIFICATE} crt-list {CERTIFICATES}"
    yield from fixed(
        "frontend ingress",
        *bind_lines(settings.http_port, by_ipv6=settings.by_ipv6),
        *bind_lines(settings.https_port, f" ssl {certificates} alpn h2,http/1.1", by_ipv6=settings.by_ipv6),
        *_request_lines(),
        "  http-request set-header X-Forwarded-Port 80 unless { ssl_fc }",
        "  http-request set-header X-Forwarded-Port 443 if { ssl_fc }",
        f"  http-request set-var(txn.known) var(txn.host),map_str({HOSTS})",
        f"  http-request set-var(txn.known) {text.word(other)} unless {{ var(txn.known) -m found }}",
        f"  http-request set-var(txn.known) str({EVERY_OTHER}) unless {{ var(txn.known) -m found }}",
        "  http-request set-var(txn.key) var(txn.known),concat(,txn.path)",
        f"  http-request set-var(txn.route) var(txn.key),map_str({EXACT})",
        f"  http-request set-var(txn.route) var(txn.key),concat(/),map_beg({PREFIX})"
        " unless { var(txn.route) -m found }",
    )


def _endings(settings: Settings) -> Iterator[Line]:
    """Yield where requests go that nobody has a rule for, and what the cluster asks the controller itself."""
    control = text.word("unix@" + settings.control_socket)
    yield from fixed(
        "  use_backend %[var(txn.route)] if { var(txn.route) -m found }",
        f"  default_backend {NOBODY}",
        f"backend {NOBODY}",
        '  http-request return status 404 content-type text/plain string "no rule for this host and path\\n"',
        "frontend own",
        *bind_lines(settings.health_port, by_ipv6=settings.by_ipv6),
        "  no log",
        "  http-request use-service prometheus-exporter if { path /metrics/proxy }",
        "  http-request deny deny_status 404 unless { path /livez /readyz /metrics }",
        "  http-request deny deny_status 405 unless { method GET HEAD }",
        "  default_backend own",
        "backend own",
        f"  server control {control}",
    )


def _backend(key: BackendKey, owner: Owner, settings: Settings) -> Iterator[Line]:
    yield Line(f"backend {key.name}", owner)
    for line in step_lines(key.options, round(settings.connect_s * 1000)):
        yield Line(f"  {line}", owner)


def _servers(places: Places, owner: Owner, options: Options) -> Iterator[Line]:
    protocol = " proto h2" if options.by_http2 else ""
    for index, server in enumerate(places):
        state = " disabled" if server is None else ""
        yield Line(f"  server {server_name(index)} {address_of(server)}{protocol}{state}", owner)


def _in_order(backends: Mapping[BackendKey, Owner]) -> list[tuple[BackendKey, Owner]]:
    return sorted(backends.items(), key=lambda item: item[0].name)


def _digest(main: bytes, files: Mapping[str, bytes], places: Mapping[str, Places]) -> str:
    whole = hashlib.sha256(main)
    for name, content in sorted(files.items()):
        whole.update(f"\n{name} {len(content)}\n".encode() + content)
    sizes = sorted((name, len(each)) for name, each in places.items())
    whole.update(repr(sizes).encode())
    return whole.hexdigest()[:16]


def _ms(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"

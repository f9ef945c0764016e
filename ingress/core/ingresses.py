"""Ingresses as rules. What cannot be followed is left out and complained about; the rest of the Ingress is followed.

https://kubernetes.io/docs/concepts/services-networking/ingress/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ingress.core.annotations import NO_WISHES, Wishes, read_annotations
from ingress.core.rules import ANY_HOST, Options, Owner, Path, PathKind, Problem, Rewrite, Rule, Target
from machinery.model.k8s.networking_v1 import HTTPIngressPath, Ingress, IngressBackend, IngressRule

_EXACT: Final = "Exact"
_IMPLEMENTATION_SPECIFIC: Final = "ImplementationSpecific"
_HOST: Final = re.compile(r"(?:\*\.)?[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]*")
_VISIBLE: Final = re.compile(r"/[\x21-\x7e]*")
_PATTERN_SIGNS: Final = re.compile(r"[\\^$|()\[\]{}*+?]")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one Ingress wants."""

    rules: tuple[Rule, ...]
    certified: tuple[
        tuple[str, str], ...
    ]  # host and the name of a Secret; "" for the host: those of the certificate
    problems: tuple[Problem, ...]


def owner_of(ingress: Ingress) -> Owner:
    """Return who an Ingress is."""
    meta = ingress.metadata
    return Owner("Ingress", meta.namespace, meta.name, meta.creationTimestamp or "")


def read_ingress(ingress: Ingress, defaults: Wishes = NO_WISHES) -> Wanted:
    """Return what an Ingress wants; `defaults` is what its class does for all that say nothing of their own."""
    reader = _Reader(ingress, defaults)
    rules = tuple(reader.rules())
    return Wanted(rules, tuple(reader.certified()), tuple(reader.problems))


class _Reader:
    def __init__(self, ingress: Ingress, defaults: Wishes) -> None:
        self._spec = ingress.spec
        self._owner = owner_of(ingress)
        self._wishes, complaints = read_annotations(ingress.metadata.annotations, defaults)
        self.problems = [Problem(self._owner, "BadAnnotation", text) for text in complaints]
        self._tls_hosts = {host for host, _ in self.certified()}

    def rules(self) -> Iterator[Rule]:
        hosts = []
        for rule in self._spec.rules:
            host = rule.host.lower()
            if host and not _HOST.fullmatch(host):
                self._complain("BadHost", f"{rule.host[:80]!r} is not a host")
                continue
            hosts.append(host)
            yield from self._of_rule(rule, host)
        if self._spec.defaultBackend is not None:
            yield from self._defaults(self._spec.defaultBackend, hosts)

    def certified(self) -> Iterator[tuple[str, str]]:
        """Yield each host with the name of its Secret; an entry without hosts is about those of the rules."""
        of_rules = [rule.host.lower() for rule in self._spec.rules if rule.host]
        for tls in self._spec.tls:
            for host in [host.lower() for host in tls.hosts] or of_rules or [ANY_HOST]:
                if not host or _HOST.fullmatch(host):
                    yield host, tls.secretName

    def _of_rule(self, rule: IngressRule, host: str) -> Iterator[Rule]:
        for entry in rule.http.paths if rule.http else ():
            target = self._target(entry.backend, f"path {entry.path[:80]}")
            path = self._path(entry)
            if target and path:
                yield Rule(self._owner, host, path, target, self._options(host, path))

    def _defaults(self, backend: IngressBackend, hosts: list[str]) -> Iterator[Rule]:
        """Yield the default backend as a rule for each host, and for the hosts that nobody names."""
        target = self._target(backend, "defaultBackend")
        path = Path(PathKind.PREFIX, "")
        if target is None:
            return
        for host in dict.fromkeys([*hosts, ANY_HOST]):
            yield Rule(self._owner, host, path, target, self._options(host, path), is_default=True)

    def _target(self, backend: IngressBackend, where: str) -> Target | None:
        if backend.service is None:
            of = backend.resource
            what = f"{of.kind} {of.name}" if of else "nothing"
            text = f"{where}: the backend is {what}; only Services can be backends here, so that nothing is served there"
            self._complain("UnsupportedBackend", text)
            return None
        name, port = backend.service.name, backend.service.port
        number = str(port.number) if port and port.number else ""
        target = Target(self._owner.namespace, name, number or (port.name if port else ""))
        if all(map(_NAME.fullmatch, target)):
            return target
        self._complain("UnsupportedBackend", f"{where}: {name[:80]!r} with that port is no Service's port")
        return None

    def _path(self, entry: HTTPIngressPath) -> Path | None:
        path = entry.path or "/"
        if not _VISIBLE.fullmatch(path):
            text = f"path {path[:80]!r} is in no request: write what is not ASCII, and blanks, with percent signs"
            self._complain("BadPath", text)
            return None
        if entry.pathType == _EXACT:
            return Path(PathKind.EXACT, path)
        if entry.pathType == _IMPLEMENTATION_SPECIFIC and self._wishes.has_patterns:
            return Path(PathKind.REGEX, path)
        if entry.pathType == _IMPLEMENTATION_SPECIFIC and self._wishes.rewrite_target and _has_signs(path):
            return Path(PathKind.REGEX, path)
        if self._wishes.rewrite_target and _has_signs(path):
            text = f"path {path[:80]} is of the type {entry.pathType}, so it is no regular expression"
            self._complain("BadPath", f"{text}: those are of the type ImplementationSpecific")
        return Path(PathKind.PREFIX, path.rstrip("/"))

    def _options(self, host: str, path: Path) -> Options:
        wishes = self._wishes
        return Options(
            redirects_to_tls=wishes.always_redirects or (wishes.redirects_to_tls and self._has_tls(host)),
            most_body_bytes=wishes.most_body_bytes,
            rewrite=_rewrite(wishes, path),
        )

    def _has_tls(self, host: str) -> bool:
        wildcard = "*." + host.partition(".")[2]
        return bool(self._tls_hosts & {host, wildcard, ANY_HOST}) if host else ANY_HOST in self._tls_hosts

    def _complain(self, reason: str, text: str) -> None:
        self.problems.append(Problem(self._owner, reason, text))


def _has_signs(path: str) -> bool:
    return bool(_PATTERN_SIGNS.search(path))


def _rewrite(wishes: Wishes, path: Path) -> Rewrite | None:
    if not wishes.rewrite_target:
        return None
    if path.kind is PathKind.REGEX:
        return Rewrite(path.value, wishes.rewrite_target)
    return Rewrite("", re.sub(r"\$[1-9]", "", wishes.rewrite_target))

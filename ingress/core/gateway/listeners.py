"""The doors of a Gateway: which of its listeners are served, and why others are not.

https://gateway-api.sigs.k8s.io/reference/spec/#listener
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from ingress.core.certificates import TYPE, Certificate, CertificateError, read_secret
from ingress.core.gateway.grants import Reference, is_permitted
from ingress.core.gateway.objects import GROUP, Gateway, Listener, ReferenceGrant, RouteKind, SecretRef
from ingress.core.gateway.verdicts import ACCEPTED, CONFLICTED, RESOLVED_REFS, Verdict, bad, good
from ingress.core.rules import Owner
from machinery.model.k8s.core_v1 import Secret

HTTP: Final = "HTTP"
HTTPS: Final = "HTTPS"
KINDS: Final = tuple(RouteKind(group=GROUP, kind=kind) for kind in ("HTTPRoute", "GRPCRoute"))


@dataclass(frozen=True, slots=True)
class Secrets:
    """The certificates that there are, and who may use them. What the proxy has refused is none."""

    find: Callable[[str, str], Secret | None]
    grants: Sequence[ReferenceGrant]
    refused: frozenset[Owner] = frozenset()


class Door(NamedTuple):
    """A listener with what is thought of it.

    Attributes:
        protocol: HTTP or HTTPS, "" for one that is not known.
        kinds: of routes that may go with it.
        certificates: of HTTPS, the first of them the one for its host.
        verdicts: Accepted, ResolvedRefs and Conflicted, in this order.
    """

    listener: Listener
    protocol: str
    kinds: tuple[RouteKind, ...]
    certificates: tuple[Certificate, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def is_accepted(self) -> bool:
        """Whether routes go with it."""
        return self.verdicts[0].status

    @property
    def is_served(self) -> bool:
        """Whether requests come in by it: one of HTTPS needs a certificate for that."""
        return self.is_accepted and (self.protocol == HTTP or bool(self.certificates))


def judge_listeners(gateway: Gateway, secrets: Secrets) -> tuple[Door, ...]:
    """Return a Gateway's doors, in the order of its listeners."""
    return tuple(_judge(each, gateway, secrets) for each in gateway.spec.listeners)


def _judge(listener: Listener, gateway: Gateway, secrets: Secrets) -> Door:
    protocol = listener.protocol.upper()
    passes = listener.tls is not None and listener.tls.mode != "Terminate"
    if protocol not in {HTTP, HTTPS} or passes:
        what = f"TLS {listener.tls.mode}" if listener.tls and passes else f"protocol {listener.protocol}"
        text = f"{what} is not served, only HTTP and HTTPS that ends here are"
        verdicts = (bad(ACCEPTED, "UnsupportedProtocol", text), good(RESOLVED_REFS), _NO_CONFLICT)
        return Door(listener, "", (), (), verdicts)
    kinds, wrong_kinds = _kinds(listener)
    certificates, wrong = _certificates(listener, gateway, secrets) if protocol == HTTPS else ((), None)
    conflict = _conflict(listener, gateway.spec.listeners)
    accepted = bad(ACCEPTED, conflict.reason, conflict.message) if conflict.status else good(ACCEPTED)
    resolved = wrong or wrong_kinds or good(RESOLVED_REFS)
    return Door(listener, protocol, kinds, certificates, (accepted, resolved, conflict))


_NO_CONFLICT: Final = bad(CONFLICTED, "NoConflicts", "")


def _kinds(listener: Listener) -> tuple[tuple[RouteKind, ...], Verdict | None]:
    wanted = listener.allowedRoutes.kinds
    if not wanted:
        return KINDS, None
    others = [each.kind for each in wanted if each not in KINDS]
    text = f"no routes of the kind {', '.join(others)} are served, only HTTPRoutes and GRPCRoutes are"
    return (
        tuple(each for each in KINDS if each in wanted),
        bad(RESOLVED_REFS, "InvalidRouteKinds", text) if others else None,
    )


def _conflict(listener: Listener, every: Iterable[Listener]) -> Verdict:
    """Return whether a listener is told from all others: none of those that are not is followed."""
    for other in every:
        if other.name == listener.name or other.port != listener.port:
            continue
        protocols = {listener.protocol.upper(), other.protocol.upper()}
        if protocols == {HTTP, HTTPS}:
            text = f"listener {other.name} has port {other.port} with the protocol {other.protocol}"
            return Verdict(CONFLICTED, True, "ProtocolConflict", text)  # noqa: FBT003
        if len(protocols) == 1 and other.hostname == listener.hostname:
            text = f"listener {other.name} has port {other.port} and the same hostname"
            return Verdict(CONFLICTED, True, "HostnameConflict", text)  # noqa: FBT003
    return _NO_CONFLICT


def _certificates(
    listener: Listener, gateway: Gateway, secrets: Secrets
) -> tuple[tuple[Certificate, ...], Verdict | None]:
    references = listener.tls.certificateRefs if listener.tls else []
    found: list[Certificate] = []
    wrong = None if references else bad(RESOLVED_REFS, "InvalidCertificateRef", "no certificate is named")
    for each in references:
        try:
            found.append(_certificate(each, gateway.metadata.namespace, secrets))
        except CertificateError as error:
            wrong = wrong or bad(RESOLVED_REFS, "InvalidCertificateRef", str(error))
        except _NotPermittedError as error:
            wrong = wrong or bad(RESOLVED_REFS, "RefNotPermitted", str(error))
    return tuple(found), wrong


class _NotPermittedError(Exception):
    pass


def _certificate(of: SecretRef, namespace: str, secrets: Secrets) -> Certificate:
    if (of.group, of.kind) != ("", "Secret"):
        raise CertificateError(f"{of.kind} {of.name} is no certificate, only Secrets are")
    owner = Owner("Secret", of.namespace or namespace, of.name)
    where = f"Secret {owner.namespace}/{owner.name}"
    if not is_permitted(Reference("Gateway", namespace, *owner[:3]), secrets.grants):
        raise _NotPermittedError(
            f"no ReferenceGrant of {owner.namespace} lets Gateways of {namespace} use {where}"
        )
    secret = secrets.find(owner.namespace, owner.name)
    if secret is None:
        raise CertificateError(f"there is no {where} of the type {TYPE}")
    if owner in secrets.refused:
        raise CertificateError(f"{where} is refused by the proxy")
    try:
        return read_secret(secret)
    except CertificateError as error:
        raise CertificateError(f"{where} cannot be used: {error}") from error

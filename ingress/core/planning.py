"""All of it together: objects in, what is to be configured and what is wrong out.

What cannot be followed is left out, piece by piece, so that one author's mistake is one author's. Nothing is remembered: the
same objects give the same plan.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from ingress.core.backends import BackendKey
from ingress.core.certificates import TYPE, Certificate, CertificateError, read_secret
from ingress.core.classes import class_of, is_ours
from ingress.core.gateway.objects import GRPC_ROUTES, HTTP_ROUTES
from ingress.core.gateway.planning import GatewayPlan, GatewayView, plan_gateways
from ingress.core.ingresses import Wanted, owner_of, read_ingress
from ingress.core.parameters import REASON as PARAMETERS_REASON
from ingress.core.parameters import Parameters, SettingsView, read_parameters
from ingress.core.rendering import Content
from ingress.core.routing import Tables, compile_rules
from ingress.core.rules import Owner, Problem, Rule, Target
from ingress.core.servers import why_not
from machinery.model.k8s.core_v1 import Secret, Service
from machinery.model.k8s.networking_v1 import Ingress, IngressClass


@dataclass(frozen=True, slots=True)
class View:
    """What the plan looks at."""

    ingresses: Iterable[Ingress]
    find_class: Callable[[str], IngressClass | None]
    find_secret: Callable[[str, str], Secret | None]
    find_service: Callable[[str, str], Service | None]
    gateways: GatewayView = field(default_factory=GatewayView)
    settings: SettingsView = field(default_factory=SettingsView)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done.

    Attributes:
        secrets: what the plan depends on besides Ingresses and classes, there or not; likewise `targets`.
    """

    content: Content
    problems: tuple[Problem, ...]
    ours: tuple[Ingress, ...]
    secrets: frozenset[tuple[str, str]]
    targets: frozenset[Target]
    gateways: GatewayPlan = field(default_factory=GatewayPlan)

    def concerns_secret(self, namespace: str, name: str) -> bool:
        """Whether the plan may be another one where a Secret is."""
        return (namespace, name) in self.secrets or (namespace, name) in self.gateways.secrets

    def concerns_service(self, namespace: str, name: str) -> bool:
        """Whether the plan may be another one where a Service is."""
        named = (namespace, name) in self.gateways.services
        return named or any(each[:2] == (namespace, name) for each in self.targets)


def plan(view: View, controller: str, default_certificate: bytes, refused: Mapping[Owner, str]) -> Plan:
    """Return what the proxy has to be. Of what it has `refused`, with what it said, nothing is followed."""
    ours = sorted((each for each in view.ingresses if is_ours(each, view.find_class, controller)), key=_age)
    parameters = _parameters(ours, view)
    wanted = {owner_of(each): read_ingress(each, parameters[class_of(each)].wishes) for each in ours}
    problems = [problem for each in wanted.values() for problem in each.problems]
    problems += [
        Problem(owner, "Rejected", f"the proxy refuses it: {said}")
        for owner, said in refused.items()
        if owner.kind not in {HTTP_ROUTES.kind, GRPC_ROUTES.kind}  # a route says so in its status
    ]
    followed = {owner: each for owner, each in wanted.items() if owner not in refused}
    tables, conflicts = compile_rules(rule for each in followed.values() for rule in each.rules)
    certified, complaints = _certify(followed, view, refused)
    gateways = plan_gateways(view.gateways, controller, refused)
    backends = {**gateways.backends, **_backends(tables)}
    targets = {owner: {rule.target for rule in each.rules} for owner, each in followed.items()}
    problems += [*conflicts, *complaints, *_missing(targets, view), *_misconfigured(parameters)]
    return Plan(
        Content(tables, backends, certified, default_certificate, gateways.site),
        tuple(dict.fromkeys(problems)),
        tuple(ours),
        frozenset((owner.namespace, name) for owner, each in wanted.items() for _, name in each.certified),
        frozenset(key.target for key in backends),
        gateways,
    )


def _age(ingress: Ingress) -> tuple[str, str, str]:
    return owner_of(ingress).age


def _backends(tables: Tables) -> dict[BackendKey, Owner]:
    found: dict[BackendKey, Owner] = {}
    for candidates in (*tables.exact.values(), *tables.prefix.values()):
        for rule in candidates:
            found.setdefault(_key(rule), rule.owner)
    return found


def _key(rule: Rule) -> BackendKey:
    return BackendKey(rule.target, rule.options)


def _certify(
    wanted: Mapping[Owner, Wanted], view: View, refused: Collection[Owner]
) -> tuple[dict[str, Certificate], list[Problem]]:
    """Return each host's certificate: that of the oldest Ingress that has one for it."""
    found: dict[str, Certificate] = {}
    problems: list[Problem] = []
    for owner, each in wanted.items():
        for host, name in each.certified:
            secret = view.find_secret(owner.namespace, name) if name else None
            try:
                certificate = _certificate(owner, name, secret, refused)
            except CertificateError as error:
                text = f"{error}: {host or 'its hosts'} are shown a certificate that nobody trusts"
                problems.append(Problem(owner, "BadCertificate", text))
                continue
            first = found.setdefault(host, certificate)
            if first is not certificate and first != certificate:
                text = f"{host or 'every host'} has the certificate of Secret {first.namespace}/{first.secret} already"
                problems.append(Problem(owner, "Conflict", f"{text}: the older is followed"))
    return found, problems


def _certificate(owner: Owner, name: str, secret: Secret | None, refused: Collection[Owner]) -> Certificate:
    if not name:
        raise CertificateError("no Secret is named")
    where = f"Secret {owner.namespace}/{name}"
    if secret is None:
        raise CertificateError(f"there is no {where} of the type {TYPE}")
    if Owner("Secret", owner.namespace, name) in refused:
        raise CertificateError(f"{where} is refused by the proxy")
    try:
        return read_secret(secret)
    except CertificateError as error:
        raise CertificateError(f"{where} cannot be used: {error}") from error


def _missing(targets: Mapping[Owner, Iterable[Target]], view: View) -> Iterable[Problem]:
    for owner, wanted in targets.items():
        for target in sorted(wanted):
            if why := why_not(target, view.find_service(target.namespace, target.service)):
                yield Problem(owner, "NoBackend", f"{why}: requests for it are answered with 503")


def _parameters(ours: Iterable[Ingress], view: View) -> dict[str, Parameters]:
    """Return what the classes in use want for their Ingresses, by name."""
    names = sorted({class_of(each) for each in ours})
    return {
        name: read_parameters(found, view.settings)
        for name in names
        if (found := view.find_class(name)) is not None
    }


def _misconfigured(parameters: Mapping[str, Parameters]) -> Iterable[Problem]:
    for name, each in parameters.items():
        for text in each.complaints:
            yield Problem(Owner("IngressClass", "", name), PARAMETERS_REASON, text)

"""What an ingress controller is fed with, how its tables are read, and a slow second way to say where a request goes."""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ingress.core.classes import CONTROLLER
from ingress.core.parameters import SettingsView
from ingress.core.planning import Plan, View, plan
from ingress.core.rendering import Settings
from ingress.core.routing import EVERY_OTHER, Tables
from ingress.core.rules import ANY_HOST, Owner, PathKind, Rule, Target
from machinery.model.k8s.core_v1 import Secret, Service, ServicePort, ServiceSpec
from machinery.model.k8s.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from machinery.model.k8s.networking_v1 import Ingress, IngressClass, IngressClassSpec
from tests.support.builders import meta

CLASS = "edge"
NGINX = "nginx.ingress.kubernetes.io/"
SETTINGS = Settings(
    http_port=8080,
    https_port=8443,
    health_port=10254,
    admin_socket="/run/ingress/admin.sock",
    control_socket="/run/ingress/control.sock",
    connections=100,
    logs_requests=False,
    connect_s=2,
    idle_s=60,
    tunnel_s=3600,
    old_s=60,
)


def path(value: str, to: str = "web", kind: str = "Prefix", port: int | str = 80) -> dict[str, Any]:
    """Return a path of a rule."""
    where = {"number": port} if isinstance(port, int) else {"name": port}
    return {"path": value, "pathType": kind, "backend": {"service": {"name": to, "port": where}}}


def ingress(
    name: str = "one",
    *rules: tuple[str, Sequence[dict[str, Any]]],
    namespace: str = "shop",
    class_name: str = CLASS,
    annotations: Mapping[str, str] | None = None,
    age: int = 0,
    **spec: Any,
) -> Ingress:
    """Return an Ingress whose rules are hosts with paths; the larger its `age`, the younger it is."""
    found = [{"host": host, "http": {"paths": list(paths)}} for host, paths in rules]
    return Ingress(
        metadata=meta(
            name,
            namespace,
            annotations=dict(annotations or {}),
            creationTimestamp=f"2026-01-01T00:00:{age:02}Z",
        ),
        spec=msgspec.convert({"ingressClassName": class_name, "rules": found, **spec}, type(Ingress().spec)),
    )


def ingress_class(
    name: str = CLASS, controller: str = CONTROLLER, *, parameters: Mapping[str, str] | None = None
) -> IngressClass:
    """Return a class."""
    spec = {"controller": controller, **({"parameters": dict(parameters)} if parameters else {})}
    return IngressClass(metadata=meta(name), spec=msgspec.convert(spec, IngressClassSpec))


def settings_of(name: str = "settings", namespace: str = "edge-system") -> dict[str, str]:
    """Return the parameters of a class that are a ConfigMap."""
    return {"kind": "ConfigMap", "name": name, "scope": "Namespace", "namespace": namespace}


def service(name: str = "web", namespace: str = "shop", *, ports: Mapping[str, int] | None = None) -> Service:
    """Return a Service with ports by their names."""
    found = [ServicePort(name=key, port=port) for key, port in (ports or {"http": 80}).items()]
    return Service(metadata=meta(name, namespace), spec=ServiceSpec(clusterIP="10.96.0.7", ports=found))


def endpoint(ip: str, *, ready: bool | None = True) -> Endpoint:
    """Return an endpoint."""
    return Endpoint(addresses=[ip], conditions=EndpointConditions(ready=ready))


def endpoint_slice(
    *ips: str | Endpoint, of: str = "web", namespace: str = "shop", port: int = 8080, name: str = "http"
) -> EndpointSlice:
    """Return a slice of a Service."""
    return EndpointSlice(
        metadata=meta(f"{of}-1", namespace, labels={"kubernetes.io/service-name": of}),
        addressType="IPv4",
        endpoints=[endpoint(each) if isinstance(each, str) else each for each in ips],
        ports=[EndpointPort(name=name, protocol="TCP", port=port)],
    )


def certificate(*hosts: str, name: str = "") -> tuple[bytes, bytes]:
    """Return a new self-signed certificate for some hosts, and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name or hosts[0])])
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .sign(key, hashes.SHA256())
    )
    unencrypted = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, unencrypted)
    return built.public_bytes(serialization.Encoding.PEM), private


def tls_secret(pair: tuple[bytes, bytes], name: str = "cert", namespace: str = "shop") -> Secret:
    """Return a Secret with a certificate and a key."""
    data = {
        key: base64.b64encode(value).decode() for key, value in zip(("tls.crt", "tls.key"), pair, strict=True)
    }
    return Secret(metadata=meta(name, namespace), type="kubernetes.io/tls", data=data)


@dataclass
class World:
    """The objects of a cluster, as the plan sees them."""

    ingresses: list[Ingress] = field(default_factory=list)
    classes: list[IngressClass] = field(default_factory=lambda: [ingress_class()])
    secrets: list[Secret] = field(default_factory=list)
    services: list[Service] = field(default_factory=lambda: [service()])
    slices: list[EndpointSlice] = field(default_factory=list)
    settings: SettingsView = field(default_factory=SettingsView)

    @property
    def view(self) -> View:
        """What the plan is handed."""

        def find(objects: Sequence[Any], namespace: str, name: str) -> Any:
            places = ((each.metadata.namespace, each.metadata.name) for each in objects)
            return next(
                (each for each, at in zip(objects, places, strict=True) if at == (namespace, name)), None
            )

        return View(
            self.ingresses,
            lambda name: find(self.classes, "", name),
            lambda namespace, name: find(self.secrets, namespace, name),
            lambda namespace, name: find(self.services, namespace, name),
            settings=self.settings,
        )

    def slices_of(self, namespace: str, name: str) -> list[EndpointSlice]:
        """Return the slices of a Service."""
        of = "kubernetes.io/service-name"
        return [
            each
            for each in self.slices
            if (each.metadata.namespace, each.metadata.labels[of]) == (namespace, name)
        ]

    def plan(self, refused: Mapping[Owner, str] | None = None) -> Plan:
        """Return the plan."""
        return plan(self.view, CONTROLLER, b"", refused or {})


def read_tables(tables: Tables, host: str, asked: str) -> Rule | None:
    """Read the tables as the proxy does: the rule that a request is served by."""
    wildcard = "*." + host.partition(".")[2]
    known = next((each for each in (host, wildcard) if each in tables.hosts), EVERY_OTHER)
    found = tables.exact.get(known + asked)
    if found is None:
        whole = known + asked + "/"
        longest = max((key for key in tables.prefix if whole.startswith(key)), key=len, default="")
        found = tables.prefix.get(longest, ())
    return next((rule for rule in found if _always_fits(rule) or _pattern_fits(rule, asked)), None)


def _always_fits(rule: Rule) -> bool:
    return rule.path.kind is not PathKind.REGEX


def _pattern_fits(rule: Rule, asked: str) -> bool:
    return bool(re.match(rule.path.value, asked, re.IGNORECASE))


def route_slowly(rules: Iterable[Rule], host: str, asked: str) -> Target | None:
    """Return where a request goes, out of the documents: every rule is looked at for every request.

    https://kubernetes.io/docs/concepts/services-networking/ingress/
    """
    every = list(rules)
    hosts = {rule.host for rule in every}
    one_label, _, rest = host.partition(".")
    chosen = host if host in hosts else f"*.{rest}" if one_label and f"*.{rest}" in hosts else ANY_HOST
    oldest_first = sorted(every, key=lambda rule: rule.owner.age)
    own = [rule for rule in oldest_first if rule.host == chosen]
    fitting = [rule for rule in own if not rule.is_default and _fits(rule, asked)]
    if fitting:
        exact = [rule for rule in fitting if rule.path.kind is PathKind.EXACT]
        if exact:
            return exact[0].target
        longest = max(len(rule.path.value) for rule in fitting)
        among = [rule for rule in fitting if len(rule.path.value) == longest]
        prefixes = [rule for rule in among if rule.path.kind is PathKind.PREFIX]
        return (prefixes or _by_pattern(among))[0].target
    defaults = [rule for rule in own if rule.is_default]
    defaults += [rule for rule in oldest_first if rule.host == ANY_HOST and rule.is_default]
    return defaults[0].target if defaults else None


def _by_pattern(rules: list[Rule]) -> list[Rule]:
    """Of different expressions of one length that all fit, the oldest, then the first by its text."""
    return sorted(rules, key=lambda rule: (rule.owner.age, rule.path.value))


def _fits(rule: Rule, asked: str) -> bool:
    match rule.path.kind:
        case PathKind.EXACT:
            return asked == rule.path.value
        case PathKind.REGEX:
            return _pattern_fits(rule, asked)
        case PathKind.PREFIX:
            elements = rule.path.value.split("/")[1:]
            return asked.split("/")[1:][: len(elements)] == elements

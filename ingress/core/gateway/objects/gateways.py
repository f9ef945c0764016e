"""GatewayClasses and Gateways."""

from __future__ import annotations

import msgspec

from ingress.core.gateway.objects.parts import API_VERSION, GROUP, Part, written
from machinery.model.k8s.meta_v1 import Condition, LabelSelector, ObjectMeta


class ParametersRef(Part, frozen=True):
    """An object with settings of its own."""

    group: str = ""
    kind: str = ""
    name: str = ""


class GatewayClassSpec(Part, frozen=True):
    """Whose class it is."""

    controllerName: str = ""
    parametersRef: ParametersRef | None = None


class ClassStatus(Part, frozen=True):
    """What is said of a class."""

    conditions: list[Condition] = []


class GatewayClass(Part, frozen=True):
    """A kind of Gateways, by who follows them."""

    apiVersion: str = written(API_VERSION)
    kind: str = written("GatewayClass")
    metadata: ObjectMeta = ObjectMeta()
    spec: GatewayClassSpec = GatewayClassSpec()
    status: ClassStatus = ClassStatus()


class SecretRef(Part, frozen=True):
    """A Secret, by default one of the same namespace."""

    group: str = ""
    kind: str = "Secret"
    namespace: str = ""
    name: str = ""


class TLS(Part, frozen=True):
    """What a listener shows to clients."""

    mode: str = "Terminate"
    certificateRefs: list[SecretRef] = []


class RouteKind(Part, frozen=True):
    """A kind of routes."""

    group: str = GROUP
    kind: str = ""


class RouteNamespaces(Part, frozen=True):
    """Where routes come from. Not `from`, which is a word of Python."""

    source: str = msgspec.field(default="Same", name="from")
    selector: LabelSelector | None = None


class AllowedRoutes(Part, frozen=True):
    """Which routes go with a listener."""

    kinds: list[RouteKind] = []
    namespaces: RouteNamespaces = RouteNamespaces()


class Listener(Part, frozen=True):
    """A door of a Gateway."""

    name: str = ""
    hostname: str = ""
    port: int = 0
    protocol: str = ""
    tls: TLS | None = None
    allowedRoutes: AllowedRoutes = AllowedRoutes()


class Address(Part, frozen=True):
    """Where a Gateway is, or is wanted to be."""

    type: str = "IPAddress"
    value: str = ""


class Infrastructure(Part, frozen=True):
    """What is said of the objects that are made for a Gateway."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    parametersRef: ParametersRef | None = None


class GatewaySpec(Part, frozen=True):
    """What a Gateway wants."""

    gatewayClassName: str = ""
    listeners: list[Listener] = []
    addresses: list[Address] = []
    infrastructure: Infrastructure = Infrastructure()


class ListenerStatus(Part, frozen=True):
    """What is said of a listener."""

    name: str
    supportedKinds: list[RouteKind]
    attachedRoutes: int
    conditions: list[Condition]


class GatewayStatus(Part, frozen=True):
    """What is said of a Gateway."""

    addresses: list[Address] = []
    conditions: list[Condition] = []
    listeners: list[ListenerStatus] = []


class Gateway(Part, frozen=True):
    """A place where requests come in."""

    apiVersion: str = written(API_VERSION)
    kind: str = written("Gateway")
    metadata: ObjectMeta = ObjectMeta()
    spec: GatewaySpec = GatewaySpec()
    status: GatewayStatus = GatewayStatus()

"""Services, their endpoints and addresses, Ingresses and NetworkPolicies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from apiserver.core.table.table import (
    AGE,
    NAME,
    NONE,
    Cells,
    Column,
    Moment,
    Table,
    age,
    labels_text,
    name,
    selector_text,
    wide,
)
from apiserver.core.values import Json, spec

_SHOWN: Final = 3  # ports or addresses of a slice; those behind them are counted


def _service(obj: Json, moment: Moment) -> Cells:
    own = spec(obj)
    ports = ",".join(_port(each) for each in own.get("ports") or ())
    return [
        name(obj),
        own.get("type", ""),
        _cluster_ip(own),
        _external(obj),
        ports or NONE,
        age(obj, moment),
        labels_text(own.get("selector")),
    ]


def _cluster_ip(own: Json) -> str:
    if own.get("type") == "ExternalName":
        return NONE
    return (own.get("clusterIPs") or [own.get("clusterIP", "")])[0] or NONE


def _external(obj: Json) -> str:
    own = spec(obj)
    given = own.get("externalIPs") or []
    match own.get("type"):
        case "ExternalName":
            return str(own.get("externalName") or NONE)
        case "LoadBalancer":
            ingress = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
            found = [each.get("ip") or each.get("hostname", "") for each in ingress] + given
            return ",".join(found) or "<pending>"
        case _:
            return ",".join(given) or NONE


def _port(port: Json) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{node_port}/{port.get('protocol', 'TCP')}"


def _slice(obj: Json, moment: Moment) -> Cells:
    ports = obj.get("ports")
    addresses = [each for endpoint in obj.get("endpoints") or () for each in endpoint.get("addresses") or ()]
    return [
        name(obj),
        obj.get("addressType", ""),
        _shortened(_slice_port(each) for each in ports) if ports else "<unset>",
        _shortened(addresses) if addresses else "<unset>",
        age(obj, moment),
    ]


def _slice_port(port: Json) -> Any:
    return port.get("port") or port.get("name") or "*"


def _shortened(values: Iterable[Any]) -> str:
    texts = [str(value) for value in values]
    more = f" + {len(texts) - _SHOWN} more..." if len(texts) > _SHOWN else ""
    return ",".join(texts[:_SHOWN]) + more


SERVICES: Final = Table(
    (
        NAME,
        Column("Type", description="How the service is reached."),
        Column("Cluster-IP", description="Its address inside the cluster."),
        Column("External-IP", description="Its addresses outside."),
        Column("Port(s)", description="Its ports."),
        AGE,
        wide("Selector"),
    ),
    _service,
)
ENDPOINT_SLICES: Final = Table(
    (
        NAME,
        Column("AddressType", description="IPv4, IPv6 or FQDN."),
        Column("Ports", description="Its ports."),
        Column("Endpoints", description="Its addresses."),
        AGE,
    ),
    _slice,
)


def _ingress(obj: Json, moment: Moment) -> Cells:
    own = spec(obj)
    balancer = (obj.get("status") or {}).get("loadBalancer") or {}
    places = {each.get("ip") or each.get("hostname", "") for each in balancer.get("ingress") or ()}
    return [
        name(obj),
        own.get("ingressClassName", NONE),
        _hosts(own.get("rules") or []),
        ",".join(sorted(filter(None, places))),
        "80, 443" if own.get("tls") else "80",
        age(obj, moment),
    ]


def _hosts(rules: list[Json]) -> str:
    """Write the hosts of rules; those behind the third are counted, together with the rules that have none."""
    hosts = [each["host"] for each in rules if each.get("host")]
    if not hosts:
        return "*"
    has_more = len(hosts) >= _SHOWN and any(True for _ in _behind(rules))
    return ",".join(hosts[:_SHOWN]) + (f" + {len(rules) - _SHOWN} more..." if has_more else "")


def _behind(rules: list[Json]) -> Iterable[Json]:
    """Return the rules behind the third that has a host."""
    seen = 0
    for rule in rules:
        if seen == _SHOWN:
            yield rule
        else:
            seen += bool(rule.get("host"))


def _ingress_class(obj: Json, moment: Moment) -> Cells:
    own = spec(obj)
    return [name(obj), own.get("controller", ""), _parameters(own.get("parameters")), age(obj, moment)]


def _parameters(reference: Json | None) -> str:
    if reference is None:
        return NONE
    group = f".{reference['apiGroup']}" if "apiGroup" in reference else ""
    return f"{reference.get('kind', '')}{group}/{reference.get('name', '')}"


def _network_policy(obj: Json, moment: Moment) -> Cells:
    return [name(obj), selector_text(spec(obj).get("podSelector")), age(obj, moment)]


def _endpoints(obj: Json, moment: Moment) -> Cells:
    return [name(obj), _endpoints_text(obj.get("subsets") or ()), age(obj, moment)]


def _endpoints_text(subsets: Iterable[Json]) -> str:
    """Write the first addresses that are ready, each with each port, and how many there are besides."""
    every = [
        _with_port(address.get("ip", ""), port)
        for subset in subsets
        for port in [each.get("port") for each in subset.get("ports") or ()] or [None]
        for address in subset.get("addresses") or ()
    ]
    more = f" + {len(every) - _SHOWN} more..." if len(every) > _SHOWN else ""
    return (",".join(every[:_SHOWN]) or NONE) + more


def _with_port(address: str, port: int | None) -> str:
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _ip_address(obj: Json, _moment: Moment) -> Cells:
    reference = spec(obj).get("parentRef")
    if reference is None:
        return [name(obj), NONE]
    group, resource = reference.get("group", ""), reference.get("resource", "")
    where = [f"{resource}.{group}" if group else resource, reference.get("namespace", "")]
    return [name(obj), "/".join([*(each for each in where if each), reference.get("name", "")])]


def _service_cidr(obj: Json, moment: Moment) -> Cells:
    return [name(obj), ",".join(spec(obj).get("cidrs") or ()), age(obj, moment)]


INGRESSES: Final = Table(
    (
        NAME,
        Column("Class", description="Its IngressClass."),
        Column("Hosts", description="The hosts that it is about."),
        Column("Address", description="Where it is reached."),
        Column("Ports", description="The ports that it is reached at."),
        AGE,
    ),
    _ingress,
)
INGRESS_CLASSES: Final = Table(
    (
        NAME,
        Column("Controller", description="Who serves its Ingresses."),
        Column("Parameters", description="The object that says more."),
        AGE,
    ),
    _ingress_class,
)
NETWORK_POLICIES: Final = Table(
    (NAME, Column("Pod-Selector", description="The pods that it is about."), AGE), _network_policy
)
ENDPOINTS: Final = Table(
    (NAME, Column("Endpoints", description="The addresses that are ready, with their ports."), AGE),
    _endpoints,
)
IP_ADDRESSES: Final = Table((NAME, Column("ParentRef", description="What has taken it.")), _ip_address)
SERVICE_CIDRS: Final = Table(
    (NAME, Column("CIDRs", description="The ranges, one of each family at most."), AGE), _service_cidr
)

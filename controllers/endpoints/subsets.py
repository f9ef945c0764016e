"""From a Service and its pods to the subsets of its Endpoints, in the order in which the apiserver stores them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from math import ceil
from typing import Any, Final

import msgspec

from controllers.core.services import hostname_in, target_port
from machinery.model.endpoint_subsets import repack
from machinery.model.endpoints import HEADLESS, IPV6, address_types, protocol_of
from machinery.model.k8s.core_v1 import EndpointSubset, Pod, Service
from machinery.model.pods import is_ready, is_terminal, is_terminating

CAPACITY: Final = 1000  # addresses of an Endpoints

Port = tuple[str, int, str, str]  # name, number, protocol, application protocol


def subsets_of(service: Service, pods: Iterable[Pod]) -> tuple[list[EndpointSubset], bool]:
    """Return the subsets of a Service, and whether something had to be left out of them.

    Pods of the same ports stand together; one whose address is of another family than the Service's first is left out.
    """
    found = sorted(_rows(service, pods), key=lambda row: row[0])
    loose = [
        {
            "addresses": [address for _, address, ready in rows if ready],
            "notReadyAddresses": [address for _, address, ready in rows if not ready],
            "ports": [_port(port) for port in ports],
        }
        for ports, group in groupby(found, key=lambda row: row[0])
        for rows in [list(group)]
    ]
    cut, is_truncated = truncated(msgspec.convert(repack(loose), list[EndpointSubset]))
    if not is_truncated:
        return cut, False
    return msgspec.convert(repack(msgspec.to_builtins(cut)), list[EndpointSubset]), True


def _rows(service: Service, pods: Iterable[Pod]) -> Iterator[tuple[tuple[Port, ...], dict[str, Any], bool]]:
    published = bool(service.spec.publishNotReadyAddresses)
    is_headless = service.spec.clusterIP == HEADLESS
    for pod in pods:
        address = _address(service, pod)
        if address is None or is_terminal(pod) or (is_terminating(pod) and not published):
            continue
        ports = _ports(service, pod)
        if ports or (is_headless and not service.spec.ports):
            yield ports, address, published or is_ready(pod)


def _address(service: Service, pod: Pod) -> dict[str, Any] | None:
    [family, *_] = address_types(service)
    known = [item.ip for item in pod.status.podIPs] or [pod.status.podIP]
    ip = next((ip for ip in known if ip and (":" in ip) == (family == IPV6)), "")
    if not ip:
        return None
    meta, hostname = pod.metadata, hostname_in(service, pod)
    target = {"kind": "Pod", "namespace": meta.namespace, "name": meta.name, "uid": meta.uid}
    address: dict[str, Any] = {"ip": ip, "nodeName": pod.spec.nodeName, "targetRef": target}
    return address | {"hostname": hostname} if hostname else address


def _ports(service: Service, pod: Pod) -> tuple[Port, ...]:
    found = ((port, target_port(port, pod)) for port in service.spec.ports)
    return tuple(
        (port.name, number, protocol_of(port.protocol), port.appProtocol)
        for port, number in found
        if number is not None
    )


def _port(port: Port) -> dict[str, Any]:
    name, number, protocol, application = port
    wanted = {"name": name, "port": number, "protocol": protocol, "appProtocol": application}
    return {key: value for key, value in wanted.items() if value}


def truncated(subsets: list[EndpointSubset]) -> tuple[list[EndpointSubset], bool]:
    """Return at most `CAPACITY` addresses, those that are ready first, of each subset in proportion; and whether some are missing."""
    ready = sum(len(subset.addresses) for subset in subsets)
    unready = sum(len(subset.notReadyAddresses) for subset in subsets)
    if ready + unready <= CAPACITY:
        return subsets, False
    if ready > CAPACITY:
        kept = _shares([len(subset.addresses) for subset in subsets], CAPACITY)
        cut = [
            msgspec.structs.replace(subset, addresses=subset.addresses[:count], notReadyAddresses=[])
            for subset, count in zip(subsets, kept, strict=True)
        ]
    else:
        kept = _shares([len(subset.notReadyAddresses) for subset in subsets], CAPACITY - ready)
        cut = [
            msgspec.structs.replace(subset, notReadyAddresses=subset.notReadyAddresses[:count])
            for subset, count in zip(subsets, kept, strict=True)
        ]
    return [subset for subset in cut if subset.addresses or subset.notReadyAddresses], True


def _shares(sizes: list[int], most: int) -> list[int]:
    """Divide what there is room for by sizes, rounded up as long as there is some left."""
    total, left = sum(sizes), most
    shares = []
    for size in sizes:
        share = min(ceil(size / total * most), left, size) if total else 0
        shares.append(share)
        left -= share
    return shares

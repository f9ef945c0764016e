"""Asks the apiserver which processes count as pods for NetworkPolicies: the cluster's DNS, where it is one."""

from __future__ import annotations

from machinery.client.api import Api
from machinery.model.dns_process import DNS_SERVICE, dns_processes
from machinery.model.endpoints import SERVICE_NAME
from machinery.model.errors import NotFound
from machinery.model.network_policies import ProcessPort
from machinery.model.requests import Selection
from machinery.model.resources import ENDPOINT_SLICES, SERVICES


async def find_dns_processes(api: Api, timeout_s: float) -> tuple[ProcessPort, ...]:
    """Return them; none where there is no Service `kube-dns`. Each of two answers may take `timeout_s` wall seconds.

    Raises:
        ApiError: the apiserver does not answer, or refuses.
    """
    namespace, name = DNS_SERVICE
    try:
        service = await api.get(SERVICES, name, namespace=namespace, timeout_s=timeout_s)
    except NotFound:
        return ()
    own = Selection(namespace=namespace, label_selector=f"{SERVICE_NAME}={name}")
    return dns_processes(service, (await api.list(ENDPOINT_SLICES, own, timeout_s=timeout_s)).items)

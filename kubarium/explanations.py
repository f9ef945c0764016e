"""`kubarium explain`: asks the apiserver for what an explanation is made of."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from kubarium.core.connections import Door, End, Explanation, explain
from kubarium.core.layout import Layout
from kubarium.core.spec import ClusterSpec
from kubarium.dns_processes import find_dns_processes
from kubarium.errors import KubariumError
from kubarium.waiting import connect
from machinery.client.api import Api
from machinery.model.errors import ApiError, NotFound
from machinery.model.k8s.core_v1 import Pod
from machinery.model.network_policies import Party, pod_of, policy_of
from machinery.model.requests import Selection
from machinery.model.resources import NAMESPACES, NETWORK_POLICIES, NODES, PODS

_PATIENCE_S: Final = 30.0  # wall seconds for one answer


def explain_policies(
    spec: ClusterSpec, layout: Layout[Path], source: End, target: End, door: Door
) -> Explanation:
    """Say whether NetworkPolicies let a connection through, and why.

    Raises:
        KubariumError: there is no such pod, it has no address yet, or the apiserver does not answer.
    """
    try:
        return asyncio.run(_explain_policies(spec, layout, source, target, door))
    except NotFound as error:
        raise KubariumError(str(error)) from error
    except ValueError as error:
        raise KubariumError(str(error)) from error
    except (TimeoutError, OSError, ApiError) as error:
        raise KubariumError(f'cluster "{spec.name}" does not say what its policies are: {error}') from error


async def _explain_policies(
    spec: ClusterSpec, layout: Layout[Path], source: End, target: End, door: Door
) -> Explanation:
    api = connect(spec, layout)
    try:
        is_ipv6 = ":" in source.ip or ":" in target.ip
        one, other = await _party(api, source, is_ipv6), await _party(api, target, is_ipv6)
        pods = [each.pod for each in (one, other) if each.pod]
        own = {pod.namespace for pod in pods}
        around = own | {process.pod.namespace for process in other.processes}
        policies = [
            policy_of(policy)
            for namespace in sorted(own)
            for policy in (
                await api.list(NETWORK_POLICIES, Selection(namespace=namespace), timeout_s=_PATIENCE_S)
            ).items
        ]
        namespaces = {
            name: (await api.get(NAMESPACES, name, timeout_s=_PATIENCE_S)).metadata.labels for name in around
        }
        nodes = {pod.node for pod in pods}
        addresses = {
            name: [
                each.address for each in (await api.get(NODES, name, timeout_s=_PATIENCE_S)).status.addresses
            ]
            for name in nodes
        }
    finally:
        await api.aclose()
    return explain(one, other, door, policies=policies, namespaces=namespaces, node_addresses=addresses)


async def _party(api: Api, end: End, is_ipv6: bool) -> Party:  # noqa: FBT001 - one caller
    """Find who is meant; an address may be a pod's. A pod that is named has the address of the family that is asked about."""
    if end.ip:
        # Only a pod's first address is a field, which in most clusters is of IPv4.
        having = Selection() if is_ipv6 else Selection(field_selector=f"status.podIP={end.ip}")
        pods = (await api.list(PODS, having, timeout_s=_PATIENCE_S)).items
        found = [pod_of(pod) for pod in pods if end.ip in {each.ip for each in pod.status.podIPs}]
        processes = await find_dns_processes(api, _PATIENCE_S)
        return Party(
            end.ip,
            next((pod for pod in found if pod), None),
            tuple(process for process in processes if end.ip in process.pod.ips),
        )
    pod = await api.get(PODS, end.pod, namespace=end.namespace, timeout_s=_PATIENCE_S)
    return Party(_address(pod, is_ipv6), pod_of(pod))


def _address(pod: Pod, is_ipv6: bool) -> str:  # noqa: FBT001 - likewise
    for each in pod.status.podIPs:
        if (":" in each.ip) == is_ipv6:
            return each.ip
    raise ValueError(
        f"pod {pod.metadata.namespace}/{pod.metadata.name} has no IPv{6 if is_ipv6 else 4} address yet"
    )

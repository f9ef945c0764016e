"""The kubelet's pages about its node's network: what `kubarium net` reads of nodes on other machines.

The rules, routes, links and listening sockets of the network namespace that the kubelet is in, and how a pod is wired to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from machinery.model.errors import InternalError, NotFound, NotImplementedHere
from machinery.model.k8s.core_v1 import Pod
from machinery.model.node_network import asked_address, asked_family


class NetworkPages:
    """Reads them anew each time.

    Args:
        pods: those of the node.
        sandbox: the id of the sandbox of a pod, by its uid; "" for none that is ready.
        process: of a sandbox, as the machine numbers it; 0 where the runtime does not tell.
        is_simulated: whether containers are, which have no network.
    """

    def __init__(
        self,
        pods: Callable[[], Iterable[Pod]],
        sandbox: Callable[[str], str],
        process: Callable[[str], Awaitable[int]],
        *,
        is_simulated: Callable[[], bool],
    ) -> None:
        self._pods = pods
        self._sandbox = sandbox
        self._process = process
        self._is_simulated = is_simulated

    async def read(self, path: str) -> bytes:
        """Return a page as JSON.

        Raises:
            NotFound: there is none, or no pod of this node has the address.
            NotImplementedHere: containers are simulated.
            InternalError: the node's programs do not say.
        """
        from machinery.process.node_network import (  # seldom needed
            UnreadableNetworkError,
            read_node_network,
            read_pod_network,
        )

        if self._is_simulated():
            raise NotImplementedHere("containers are simulated by the hollow runtime: they have no network")
        try:
            if (is_6 := asked_family(path)) is not None:
                return msgspec.json.encode(await asyncio.to_thread(read_node_network, "", is_6=is_6))
            if not (address := asked_address(path)):
                raise NotFound("404 page not found")
            process = await self._process_of(address)
            is_6 = ":" in address
            return msgspec.json.encode(await asyncio.to_thread(read_pod_network, "", process, is_6=is_6))
        except UnreadableNetworkError as error:
            raise InternalError(str(error)) from error

    async def _process_of(self, address: str) -> int:
        for pod in self._pods():
            if pod.spec.hostNetwork or all(each.ip != address for each in pod.status.podIPs):
                continue
            sandbox = self._sandbox(pod.metadata.uid)
            if sandbox and (process := await self._process(sandbox)):
                return process
        raise NotFound(f"no pod of this node has a network with the address {address}")

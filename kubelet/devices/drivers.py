"""The drivers of devices that have registered at this kubelet, and what they are asked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kubelet.core.devices import PreparedClaim, PreparedDevice
from kubelet.core.plugins import Plugin, path_here
from kubelet.plugins.handler import PluginRefused
from machinery.model.clock import Clock
from machinery.model.errors import ApiError

if TYPE_CHECKING:
    from machinery.wire.dra_plugin import messages

TYPE: Final = "DRAPlugin"
_VERSION: Final = "v1.DRAPlugin"
_ANSWER_S: Final = 45.0  # wall seconds, as in Kubernetes


class DriverProblem(Exception):  # noqa: N818 - it is what an event says
    """A driver is not there, does not answer, or has answered that it failed."""


class Drivers:
    """The drivers by their names; of several sockets of one driver the last one counts (`kubelet.plugins.PluginHandler`)."""

    def __init__(self, root: Path, clock: Clock) -> None:
        self._root = root
        self._clock = clock
        self._plugins: dict[str, list[Plugin]] = {}

    def check(self, plugin: Plugin) -> None:
        """Look at what a driver says of itself.

        Raises:
            PluginRefused: it has no name, or speaks no version that is known here.
        """
        if not plugin.name:
            raise PluginRefused("DRA plugin name is empty")
        if _VERSION not in plugin.versions:
            known = ", ".join(plugin.versions) or "none"
            raise PluginRefused(
                f"none of the DRA gRPC interfaces are supported: it has {known}, not {_VERSION}"
            )

    async def registered(self, plugin: Plugin) -> None:
        """Accept a driver."""
        self._plugins.setdefault(plugin.name, []).append(plugin)

    async def deregistered(self, plugin: Plugin) -> None:
        """Forget a driver."""
        left = [each for each in self._plugins.get(plugin.name, []) if each.socket != plugin.socket]
        self._plugins.pop(plugin.name, None)
        if left:
            self._plugins[plugin.name] = left

    async def prepare(
        self, driver: str, claims: Iterable[PreparedClaim]
    ) -> dict[str, tuple[PreparedDevice, ...]]:
        """Have claims prepared; return their devices, by the claims' uids. Idempotent.

        Raises:
            DriverProblem: one of them is not prepared.
        """
        asked = {each.uid: each for each in claims}
        answer = await self._ask(driver, "NodePrepareResources", asked.values())
        _check("NodePrepareResources", answer, asked)
        return {uid: tuple(map(_device, each.devices)) for uid, each in answer.claims.items()}

    async def unprepare(self, driver: str, claims: Iterable[PreparedClaim]) -> None:
        """Have what was prepared put away. Idempotent.

        Raises:
            DriverProblem: one of them is not put away.
        """
        asked = {each.uid: each for each in claims}
        answer = await self._ask(driver, "NodeUnprepareResources", asked.values())
        _check("NodeUnprepareResources", answer, asked)

    async def _ask(self, driver: str, method: str, claims: Iterable[PreparedClaim]) -> Any:
        from machinery.wire.dra_plugin import SERVICE, SERVICE_PATH, messages
        from machinery.wire.rpc_errors import api_errors
        from machinery.wire.stubs import Stub, unix_channel

        plugins = self._plugins.get(driver)
        if not plugins:
            raise DriverProblem(f"{method}: DRA driver {driver} is not registered")
        channel = unix_channel(path_here(plugins[-1].endpoint, str(self._root)), self._clock)
        request = getattr(messages, f"{method}Request")(claims=[_claim(each, messages) for each in claims])
        try:
            with api_errors():
                return await getattr(Stub(channel, SERVICE, SERVICE_PATH), method)(request, timeout=_ANSWER_S)
        except ApiError as error:
            raise DriverProblem(f"{method}: {error.message}") from error
        finally:
            await channel.close()


def _claim(claim: PreparedClaim, messages: Any) -> Any:
    return messages.Claim(namespace=claim.namespace, uid=claim.uid, name=claim.name)


def _device(device: messages.Device) -> PreparedDevice:
    return PreparedDevice(
        tuple(device.request_names), device.pool_name, device.device_name, tuple(device.cdi_device_ids)
    )


def _check(method: str, answer: Any, asked: dict[str, PreparedClaim]) -> None:
    for uid, result in answer.claims.items():
        claim = asked.get(uid)
        if claim is None:
            raise DriverProblem(f"{method} returned result for unknown claim UID {uid}")
        if result.error:
            raise DriverProblem(f"{method} failed for claim {claim.namespace}/{claim.name}: {result.error}")
    if missing := len(asked) - len(answer.claims):
        raise DriverProblem(f"{method} skipped {missing} ResourceClaims")

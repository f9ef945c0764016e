"""What a kubelet needs of where it runs: a process of its own (`machinery.process.run.Process`), or a place among many in one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from machinery.client.api import Api
from machinery.model.clock import Clock
from machinery.model.log import EventLog
from machinery.model.seam import Seam
from machinery.process.metrics import Metrics
from machinery.process.tls import ServerTls


class KubeletProcess(Protocol):
    """The process of one kubelet, as it sees it."""

    @property
    def name(self) -> str:
        """The instance's name: "kubelet@node-1"."""
        ...

    @property
    def clock(self) -> Clock:
        """The cluster's time."""
        ...

    @property
    def log(self) -> EventLog:
        """Where it tells what happens."""
        ...

    @property
    def metrics(self) -> Metrics:
        """Its numbers."""
        ...

    @property
    def seam(self) -> Seam | None:
        """What its conversations pass; None where that is nothing."""
        ...

    def ready(self) -> None:
        """Report, once, that the kubelet does its work."""
        ...


class CriChannel(Protocol):
    """What `machinery.wire.stubs.Stub` needs of a channel to the runtime."""

    def unary_unary(self, path: str, *, request_serializer: Any, response_deserializer: Any) -> Any:
        """Make the multicallable of a method with one answer."""
        ...

    def unary_stream(self, path: str, *, request_serializer: Any, response_deserializer: Any) -> Any:
        """Make the multicallable of a method with a stream of answers."""
        ...


class OwnCertificates(Protocol):
    """The certificates of one kubelet (kubelet/certificates)."""

    def client_ttl_s(self) -> float | None:
        """Return how many wall seconds the client certificate is still valid; None where it has none of its own."""
        ...

    def renewal_errors(self) -> tuple[int, int]:
        """Return how often the client certificate could not be renewed, and the serving certificate."""
        ...

    def serving(self) -> ServerTls:
        """Return what it shows to the apiserver."""
        ...

    async def run(self, api: Api, on_serving: Callable[[str, str], None]) -> None:
        """Renew what is to be renewed, until cancelled."""
        ...

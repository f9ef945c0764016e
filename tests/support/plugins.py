"""A plugin of a node, as its registrar is: a server of gRPC's own library on a socket in the kubelet's folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from machinery.wire.plugin_registration import SERVICE_PATH, messages
from tests.support.waiting import until


@dataclass(slots=True)
class Registrar:
    """What a plugin says of itself, and what it is told."""

    info: Mapping[str, Any]
    told: list[tuple[bool, str]] = field(default_factory=list)

    async def until_told(self, *answers: tuple[bool, str]) -> None:
        """Wait until it was told these, and nothing else."""
        await until(lambda: len(self.told) >= len(answers), what=f"told {self.told}")
        assert self.told == list(answers)

    async def _get_info(self, _request: object, _context: object) -> messages.PluginInfo:
        return messages.PluginInfo(**self.info)

    async def _note(self, status: messages.RegistrationStatus, _context: object) -> Any:
        self.told.append((status.plugin_registered, status.error))
        return messages.RegistrationStatusResponse()

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return what serves it."""
        methods = {
            "GetInfo": unary(self._get_info, messages.InfoRequest),
            "NotifyRegistrationStatus": unary(self._note, messages.RegistrationStatus),
        }
        return grpc.method_handlers_generic_handler(SERVICE_PATH, methods)


def unary(behave: Any, request: Any) -> grpc.RpcMethodHandler[Any, Any]:
    """Return the handler of a method with one request and one answer."""
    return grpc.unary_unary_rpc_method_handler(
        behave,
        request_deserializer=request.FromString,
        response_serializer=lambda answer: answer.SerializeToString(),
    )


@asynccontextmanager
async def serving(path: Path, *handlers: grpc.GenericRpcHandler) -> AsyncIterator[None]:
    """Serve on a unix socket while inside."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(handlers)
    path.parent.mkdir(parents=True, exist_ok=True)
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    try:
        yield
    finally:
        await server.stop(0)  # which removes the socket

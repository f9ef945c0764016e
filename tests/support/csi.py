"""CSI drivers for tests: the example's, which mounts, and one that notes what it is asked, of gRPC's own library."""

from __future__ import annotations

import importlib.util
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
from google.protobuf.message_factory import GetMessageClass

from kubelet.core.plugins import Plugin
from machinery.rpc.status import Code
from machinery.wire.csi import NODE, NODE_PATH, messages
from tests.support.plugins import serving, unary

NAME = "disks.example.com"
_EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "csi-driver" / "driver.py"


def example_driver() -> ModuleType:
    """Return the example's module."""
    spec = importlib.util.spec_from_file_location("example_csi_driver", _EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(slots=True)
class NotedDriver:
    """Notes every request, and answers as it is told; what it is not told of is answered with nothing."""

    capabilities: tuple[int, ...] = ()
    answers: dict[str, Any] = field(default_factory=dict)  # by method: a message, or a code that it ends with
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def serving(self, path: Path) -> AbstractAsyncContextManager[None]:
        """Serve on a socket while inside."""
        handlers = {
            each.name: unary(self._method(each), GetMessageClass(each.input_type)) for each in NODE.methods
        }
        return serving(path, grpc.method_handlers_generic_handler(NODE_PATH, handlers))

    def plugin(self, path: Path) -> Plugin:
        """Return how it registers."""
        return Plugin("CSIPlugin", NAME, str(path), ("1.0.0",), "")

    def names(self) -> list[str]:
        """Return the methods that were called for volumes."""
        return [name for name, _ in self.asked if not name.startswith("NodeGet")]

    def last(self, method: str) -> Any:
        """Return the last request of a method."""
        return next(request for name, request in reversed(self.asked) if name == method)

    def _method(self, method: Any) -> Any:
        answer_type = GetMessageClass(method.output_type)

        async def behave(request: Any, context: Any) -> Any:
            self.asked.append((method.name, request))
            answer = self.answers.get(method.name, self._usual(method.name))
            if isinstance(answer, Code):
                await context.abort(grpc.StatusCode[answer.name], "as it was told")
            return answer_type() if answer is None else answer

        return behave

    def _usual(self, method: str) -> Any:
        if method == "NodeGetInfo":
            return messages.NodeGetInfoResponse(
                node_id="machine-7",
                max_volumes_per_node=3,
                accessible_topology=messages.Topology(segments={"disks.example.com/rack": "r1"}),
            )
        if method == "NodeGetCapabilities":
            kinds = messages.NodeServiceCapability
            found = [kinds(rpc=kinds.RPC(type=each)) for each in self.capabilities]
            return messages.NodeGetCapabilitiesResponse(capabilities=found)
        return None

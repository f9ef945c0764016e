"""The fault seam of the REST transport: what a plan does to one request, in `ApiError`s instead of gRPC's.

The methods are named as the gRPC door names them ("Get", "Watch"…), so that one plan fits both transports.
"""

from __future__ import annotations

import asyncio
from typing import Final

import grpc.aio

from machinery.client.faults import delay, lose
from machinery.model.errors import Expired, Unavailable
from machinery.wire.faults import Call, Fault, FaultGate, Rule
from machinery.wire.status import from_rpc

CALLEE: Final = "apiserver"
_LOOK_AGAIN_S: Final = 0.2  # wall seconds between two looks whether a cut has ended


class RestFaults:
    """Asks the gate for one client; without a gate nothing ever goes wrong."""

    def __init__(self, gate: FaultGate | None, caller: str) -> None:
        self._gate = gate
        self._caller = caller

    def decide(self, method: str) -> Rule | None:
        """Give the rule that this request falls under, and count it."""
        return self._gate.decide(self._call(method)) if self._gate else None

    async def before(self, rule: Rule | None, timeout_s: float | None) -> float:
        """Suffer what happens before the request is sent; give the seconds that are gone of its time."""
        if rule is None:
            return 0
        if rule.fault is Fault.EXPIRED:
            raise Expired("too old resource version (fault plan)")
        if rule.fault in {Fault.DROP, Fault.CUT}:
            await _lose(rule, timeout_s)
        return await _delayed(rule, timeout_s)

    async def after(self, rule: Rule | None, timeout_s: float | None) -> None:
        """Suffer what happens to the answer."""
        if rule is not None and rule.fault is Fault.DROP_REPLY:
            await _lose(rule, timeout_s)

    async def streaming(self, method: str) -> None:
        """Wait out a cut in the middle of a stream; the stream breaks when it ends."""
        if self._gate is None or not self._gate.is_cut(self._call(method)):
            return
        while self._gate.is_cut(self._call(method)):
            await asyncio.sleep(_LOOK_AGAIN_S)
        raise Unavailable("the connection was cut (fault plan)")

    def _call(self, method: str) -> Call:
        return Call(self._caller, CALLEE, method, "client")


async def _delayed(rule: Rule, timeout_s: float | None) -> float:
    try:
        return await delay(rule, timeout_s)
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error) from error


async def _lose(rule: Rule, timeout_s: float | None) -> None:
    try:
        await lose(rule, timeout_s)
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error) from error

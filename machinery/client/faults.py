"""The client's fault seam: a gRPC channel that asks a `FaultGate` before each call and each stream message.

A channel of its own rather than gRPC's interceptors: those make a task of every call, also of the healthy ones.
What is not faulty passes straight through, with the call object that gRPC gives.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio

from machinery.wire.faults import Call, Fault, FaultGate, Rule
from machinery.wire.status import rpc_error

_LOOK_AGAIN_S = 0.2  # wall seconds between two looks whether a cut has ended
_UNIMPORTANT = (grpc.aio.AioRpcError,)


class FaultyChannel:
    """A `grpc.aio.Channel` through which a plan can act. `caller` and `callee` are component names."""

    def __init__(self, channel: grpc.aio.Channel, gate: FaultGate, *, caller: str, callee: str) -> None:
        self._channel = channel
        self._gate = gate
        self._caller = caller
        self._callee = callee

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    def unary_unary(self, path: str, **options: Any) -> Any:
        """Make the multicallable of a method with one request and one answer."""
        return _Unary(self._channel.unary_unary(path, **options), self._gate, self._call(path))

    def stream_unary(self, path: str, **options: Any) -> Any:
        """Make the multicallable of a method with a stream of requests and one answer."""
        return _Unary(self._channel.stream_unary(path, **options), self._gate, self._call(path))

    def unary_stream(self, path: str, **options: Any) -> Any:
        """Make the multicallable of a method with one request and a stream of answers."""
        return _Streaming(self._channel.unary_stream(path, **options), self._gate, self._call(path))

    def stream_stream(self, path: str, **options: Any) -> Any:
        """Make the multicallable of a method with streams both ways."""
        return _Streaming(self._channel.stream_stream(path, **options), self._gate, self._call(path))

    def _call(self, path: str) -> Call:
        return Call(self._caller, self._callee, path.rsplit("/", 1)[-1], "client")


def through(
    channel: grpc.aio.Channel, gate: FaultGate | None, *, caller: str, callee: str
) -> grpc.aio.Channel:
    """Put the seam into a channel; without a gate, give the channel itself."""
    return channel if gate is None else FaultyChannel(channel, gate, caller=caller, callee=callee)


class _Unary:
    def __init__(self, multicallable: Any, gate: FaultGate, call: Call) -> None:
        self._multicallable = multicallable
        self._gate = gate
        self._call = call

    def __call__(self, request: Any = None, **options: Any) -> Any:
        rule = self._gate.decide(self._call)
        if rule is None:
            return self._multicallable(request, **options)
        return self._fail(rule, request, options)

    async def _fail(self, rule: Rule, request: Any, options: dict[str, Any]) -> Any:
        if rule.fault is Fault.EXPIRED:
            raise rpc_error(grpc.StatusCode.OUT_OF_RANGE, "too old resource version (fault plan)")
        if rule.fault in {Fault.DROP, Fault.CUT}:
            await lose(rule, options.get("timeout"))
        if gone_s := await delay(rule, options.get("timeout")):
            options |= {"timeout": options["timeout"] - gone_s} if options.get("timeout") else {}
        answer = await self._multicallable(request, **options)
        if rule.fault is Fault.DROP_REPLY:
            await lose(rule, options.get("timeout"))
        if rule.fault is Fault.DUPLICATE:
            await self._repeat(request, options)
        return answer

    async def _repeat(self, request: Any, options: dict[str, Any]) -> None:
        try:
            await self._multicallable(request, **options)
        except _UNIMPORTANT:
            return  # nobody waits for the answer to a message that the network doubled


class _Streaming:
    def __init__(self, multicallable: Any, gate: FaultGate, call: Call) -> None:
        self._multicallable = multicallable
        self._gate = gate
        self._call = call

    def __call__(self, *arguments: Any, **options: Any) -> FaultyStream:
        rule = self._gate.decide(self._call)
        return FaultyStream(self._multicallable(*arguments, **options), self._gate, self._call, rule)


class FaultyStream:
    """A streaming call whose answers pass the gate one by one; all else is the call's own."""

    def __init__(self, call: Any, gate: FaultGate, about: Call, rule: Rule | None) -> None:
        self._inner = call
        self._gate = gate
        self._about = about
        self._rule = rule

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for message in self._inner:
            await self._pass()
            yield message

    async def read(self) -> Any:
        """Read one message, grpc.aio.EOF at the end."""
        message = await self._inner.read()
        await self._pass()
        return message

    async def _pass(self) -> None:
        rule, self._rule = self._rule, None
        try:
            await self._suffer(rule)
        except grpc.aio.AioRpcError:
            self._inner.cancel()
            raise

    async def _suffer(self, rule: Rule | None) -> None:
        if self._gate.is_cut(self._about):
            await self._wait_for_the_end_of_the_cut()
        if rule is None:
            return
        if rule.fault is Fault.EXPIRED:
            raise rpc_error(grpc.StatusCode.OUT_OF_RANGE, "too old resource version (fault plan)")
        if rule.fault in {Fault.DROP, Fault.DROP_REPLY}:
            await lose(rule, None)
        await delay(rule, None)

    async def _wait_for_the_end_of_the_cut(self) -> None:
        while self._gate.is_cut(self._about):
            await asyncio.sleep(_LOOK_AGAIN_S)
        raise rpc_error(grpc.StatusCode.UNAVAILABLE, "the connection was cut (fault plan)")


async def delay(rule: Rule, timeout_s: float | None) -> float:
    """Hold a message up, if the rule says so; give the seconds that passed. Beyond the deadline it is lost."""
    if rule.fault is not Fault.DELAY:
        return 0
    if timeout_s is not None and rule.delay_s >= timeout_s:
        await asyncio.sleep(timeout_s)
        raise rpc_error(grpc.StatusCode.DEADLINE_EXCEEDED, "no answer in time (fault plan)")
    await asyncio.sleep(rule.delay_s)
    return rule.delay_s


async def lose(rule: Rule, timeout_s: float | None) -> None:
    """Let a message get lost: an error after the rule's delay, else silence until the deadline. Never returns."""
    if rule.delay_s and rule.delay_s < (timeout_s or float("inf")):
        await asyncio.sleep(rule.delay_s)
        raise rpc_error(grpc.StatusCode.UNAVAILABLE, "the message was lost (fault plan)")
    if timeout_s is None:
        await asyncio.Event().wait()
    await asyncio.sleep(timeout_s or 0)
    raise rpc_error(grpc.StatusCode.DEADLINE_EXCEEDED, "no answer in time (fault plan)")

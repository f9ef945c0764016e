"""The process's fault plan, read from a file, and the server's seam that asks it.

The file is read at the start and at every SIGHUP. A plan that does not fit is refused with an error that names
the field, and the plan before it stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc

from machinery.client.faults import lose
from machinery.model.errors import ApiError, Expired, Unavailable
from machinery.model.log import SILENT, EventLog
from machinery.wire import faults
from machinery.wire.cause_headers import CALLER_KEY
from machinery.wire.faults import (
    NO_PLAN,
    Call,
    Fault,
    FaultGate,
    FaultPlan,
    PlanError,
    Rule,
    Tally,
    parse_plan,
)
from machinery.wire.services import abort


class PlannedFaults:
    """A `FaultGate` that holds a plan and its tallies."""

    def __init__(self, path: str = "", log: EventLog = SILENT) -> None:
        self._path = path
        self._log = log
        self._plan = NO_PLAN
        self._tallies: dict[int, Tally] = {}

    def load(self) -> None:
        """Read the file, if there is one; a plan that does not fit changes nothing but the log."""
        if not self._path:
            return
        try:
            plan = parse_plan(Path(self._path).read_bytes())
        except FileNotFoundError:
            plan = NO_PLAN
        except (OSError, PlanError) as error:
            self._log.error("fault_plan_refused", file=self._path, error=error)
            return
        self.use(plan)
        self._log.info("fault_plan_loaded", file=self._path, rules=len(plan.rules), seed=plan.seed)

    def use(self, plan: FaultPlan) -> None:
        """Follow a plan from now on, with fresh tallies."""
        self._plan = plan
        self._tallies = {}

    def decide(self, call: Call) -> Rule | None:
        """Give the rule that this call falls under, and count it."""
        if not self._plan.rules:
            return None
        rule, self._tallies = faults.decide(self._plan, self._tallies, call)
        if rule is not None:
            self._log.info(
                "fault_injected",
                fault=rule.fault.value,
                caller=call.caller,
                callee=call.callee,
                method=call.method,
                at=call.side,
            )
        return rule

    def is_cut(self, call: Call) -> bool:
        """Tell whether the connection is cut now."""
        return faults.is_cut(self._plan, call) if self._plan.rules else False


class FaultInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # gRPC has no types
    """Lets a plan act on the calls that a server receives. `callee` is the server's component name."""

    def __init__(self, gate: FaultGate, callee: str) -> None:
        self._gate = gate
        self._callee = callee

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: grpc.HandlerCallDetails
    ) -> Any:
        """Give the handler of a call, wrapped where it is a faulty one or a stream that may become so."""
        inner = await continuation(details)
        if inner is None:
            return None
        call = self._call(details)
        rule = self._gate.decide(call)
        if inner.response_streaming:
            return _rewrapped(inner, _stream(inner, self._gate, call, rule))
        return inner if rule is None else _rewrapped(inner, _unary(inner, rule))

    def _call(self, details: grpc.HandlerCallDetails) -> Call:
        caller = next((value for key, value in details.invocation_metadata or () if key == CALLER_KEY), "")
        return Call(str(caller), self._callee, details.method.rsplit("/", 1)[-1], "server")


def _rewrapped(inner: Any, behaviour: Callable[[Any, Any], Any]) -> Any:
    sides = (inner.request_streaming, inner.response_streaming)
    arity = "_".join("stream" if streaming else "unary" for streaming in sides)
    make = getattr(grpc, f"{arity}_rpc_method_handler")
    return make(
        behaviour,
        request_deserializer=inner.request_deserializer,
        response_serializer=inner.response_serializer,
    )


def _behaviour(inner: Any) -> Any:
    return inner.unary_unary or inner.stream_unary or inner.unary_stream or inner.stream_stream


def _unary(inner: Any, rule: Rule) -> Callable[[Any, Any], Awaitable[Any]]:
    behave = _behaviour(inner)

    async def faulty(request: Any, context: Any) -> Any:
        await _before(rule, context)
        answer = await behave(request, context)
        if rule.fault is Fault.DROP_REPLY:
            await _lose(rule, context)
        if rule.fault is Fault.DUPLICATE:
            await behave(request, context)
        return answer

    return faulty


def _stream(
    inner: Any, gate: FaultGate, call: Call, rule: Rule | None
) -> Callable[[Any, Any], AsyncIterator[Any]]:
    behave = _behaviour(inner)

    async def faulty(request: Any, context: Any) -> AsyncIterator[Any]:
        if rule is not None:
            await _before(rule, context)
        async for message in behave(request, context):
            if gate.is_cut(call):
                await _wait_out(gate, call, context)
            yield message

    return faulty


async def _before(rule: Rule, context: Any) -> None:
    match rule.fault:
        case Fault.EXPIRED:
            await abort(context, Expired("too old resource version (fault plan)"))
        case Fault.DELAY:
            await asyncio.sleep(rule.delay_s)
        case Fault.DROP | Fault.CUT:
            await _lose(rule, context)


async def _lose(rule: Rule, context: Any) -> None:
    """Say nothing until the caller gives up, or break after the rule's delay."""
    try:
        await lose(rule, None)
    except grpc.aio.AioRpcError as error:
        await abort(context, _broken(str(error.details())))


async def _wait_out(gate: FaultGate, call: Call, context: Any) -> None:
    while gate.is_cut(call):
        await asyncio.sleep(0.2)
    await abort(context, _broken("the connection was cut (fault plan)"))


def _broken(text: str) -> ApiError:
    return Unavailable(text)

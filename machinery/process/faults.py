"""The process's fault plan: a seam that lets `machinery.model.fault_plan` act on the process's conversations.

A plan arrives over the process's control socket (`machinery.process.control`), or in a file that is read at the start
and at every SIGHUP. One that does not fit is refused with an error that names the field, and the plan before it stays.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from machinery.model import fault_plan
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, Expired, Unavailable
from machinery.model.fault_plan import NO_PLAN, Fault, FaultPlan, PlanError, Rule, Tallies, Tally, parse_plan
from machinery.model.log import SILENT, EventLog
from machinery.model.seam import Break, Ends, Message, Outcome


class PlannedFaults:
    """A `Seam` that does what its plan says, and keeps count of it."""

    def __init__(self, clock: Clock, path: str = "", log: EventLog = SILENT) -> None:
        self.clock = clock
        self._path = path
        self._log = log
        self._tallies: Tallies = {}
        self._open: dict[_Passage, None] = {}  # streams that run, and calls that a rule holds
        self.plan = NO_PLAN

    @property
    def is_idle(self) -> bool:
        """Whether there is no rule."""
        return not self.plan.rules

    def open(self, message: Message, *, is_stream: bool) -> _Passage | None:
        """Begin the passage of a call, and count it for the rules that are about it."""
        rule = self._decide(message) if self.plan.rules else None
        if rule is None and not is_stream:
            return None
        passage = _Passage(self, message, rule, is_stream=is_stream)
        self._open[passage] = None
        return passage

    def use(self, plan: FaultPlan) -> None:
        """Follow a plan from now on.

        Rules that were in the plan before go on with their counts. What was cut and is so no longer breaks.
        """
        before, self.plan = self.plan, plan
        self._tallies = fault_plan.carry_over(self._tallies, before, plan)
        for passage in list(self._open):
            passage.plan_changed()

    def load(self) -> None:
        """Read the file, if there is one; a plan that does not fit changes nothing except the log."""
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

    def tallies(self) -> list[tuple[Rule, Tally]]:
        """Return every rule of the plan with what it has met and done so far."""
        return [(key.rule, self._tallies.get(key, Tally())) for key in self.plan.keyed()]

    def is_cut(self, ends: Ends, method: str) -> bool:
        """Whether such a message is cut now."""
        return fault_plan.is_cut(self.plan, ends, method)

    def closed(self, passage: _Passage) -> None:
        """Forget a passage: its call has ended."""
        self._open.pop(passage, None)

    def _decide(self, message: Message) -> Rule | None:
        rule, self._tallies = fault_plan.decide(self.plan, self._tallies, message.ends, message.method)
        if rule is not None:
            ends = message.ends
            self._log.info(
                "fault_injected",
                fault=rule.fault.value,
                caller=ends.caller,
                callee=ends.callee,
                method=message.method,
                at=ends.side,
            )
        return rule


class _Passage:
    """A call under the plan: the rule that was decided for it, and whether the connection is cut now."""

    def __init__(
        self, faults: PlannedFaults, message: Message, rule: Rule | None, *, is_stream: bool
    ) -> None:
        self._faults = faults
        self._message = message
        self._rule = rule
        self._is_stream = is_stream
        self.attends = is_stream and not faults.is_idle and self._is_cut_by_plan()
        self._end_of_cut: asyncio.Event | None = None
        self._break: Break | None = None
        self.copies = 1

    async def before(self) -> None:
        """Apply a rule to the request."""
        rule = self._rule
        if self.attends:
            await self._until_cut_ends()
        if rule is None:
            return
        match rule.fault:
            case Fault.EXPIRED:
                raise Expired("too old resource version (fault plan)")
            case Fault.DELAY:
                await self._faults.clock.sleep_wall(rule.delay_s)
            case Fault.DROP:
                await self._lose(rule)
            case Fault.CUT:
                await (self._lose(rule) if rule.delay_s else self._until_cut_ends())
            case Fault.DUPLICATE if not self._is_stream:
                self.copies = 2

    async def answered(self) -> None:
        """Lose the answer, where the rule says so."""
        if self._rule is not None and self._rule.fault is Fault.DROP_REPLY:
            await self._lose(self._rule)

    async def each(self, _item: Any) -> bool:
        """Hold an item while the link is cut; nothing is dropped out of the middle of a stream."""
        if self.attends:
            await self._until_cut_ends()
        return True

    def after(self, _outcome: Outcome) -> None:
        """Leave the plan's list of open calls."""
        self._faults.closed(self)

    def on_break(self, break_: Break) -> None:
        """Have the stream broken at the end of a cut."""
        self._break = break_

    def plan_changed(self) -> None:
        """Begin or end the cut of this call, as the new plan says; called once for each plan."""
        was_cut, self.attends = self.attends or self._end_of_cut is not None, self._is_cut_by_plan()
        if self.attends or not was_cut:
            return
        if self._end_of_cut is not None:
            self._end_of_cut.set()
        if self._break is not None:
            self._break(_cut_error())

    def _is_cut_by_plan(self) -> bool:
        return self._faults.is_cut(self._message.ends, self._message.method)

    async def _until_cut_ends(self) -> None:
        """Wait for the plan that cuts no longer, then break. Never returns."""
        if self._end_of_cut is None:  # a stream's reader and writer wait for the same one
            self._end_of_cut = asyncio.Event()
        await self._end_of_cut.wait()
        raise _cut_error()

    async def _lose(self, rule: Rule) -> None:
        """Break after the rule's delay, or say nothing for ever. Never returns."""
        if not rule.delay_s:
            await asyncio.Event().wait()
        await self._faults.clock.sleep_wall(rule.delay_s)
        raise Unavailable("the message was lost (fault plan)")


def _cut_error() -> ApiError:
    return Unavailable("the connection was cut (fault plan)")

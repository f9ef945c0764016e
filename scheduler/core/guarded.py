"""A plugin that is not Kubarium's, asked with care: what it raises and what makes no sense is told of its pod, under its name.

A Guarded stands in front of a plugin. Whatever goes wrong is a PluginFailed that names the plugin and the point; the loop fails
the pod by it and goes on. `limited` ends what takes too long, where somebody can do that (scheduler/plugin_time.py).
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection, Generator, Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, Final, TypeAlias

from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.framework import (
    Filter,
    Need,
    Normalize,
    Plugin,
    Relation,
    Remedy,
    Score,
    Verdicts,
    says_something,
)
from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.normalize import MAX_SCORE
from scheduler.core.permit import Handle, Wait
from scheduler.core.pod import PodInfo
from scheduler.core.rejection import Rejection, Stopped
from scheduler.core.snapshot import Snapshot

Limited: TypeAlias = Callable[[], AbstractContextManager[object]]
_RAISED: Final = (Exception, SystemExit)


class TooSlow(BaseException):
    """Raised inside a plugin that takes too long; it is no Exception, so that a plugin does not take it for one of its own."""


class PluginFailed(Exception):  # noqa: N818 - it is what an event says
    """A plugin raised something, took too long, or said what makes no sense."""

    def __init__(self, plugin: str, point: str, problem: str) -> None:
        super().__init__(f'running {point} plugin "{plugin}": {problem}')
        self.plugin = plugin


class Guarded(Plugin):
    """A plugin in front of another one, which says what that says, or raises PluginFailed."""

    def __init__(self, plugin: Plugin, limited: Limited = nullcontext) -> None:
        self.name = plugin.name  # type: ignore[misc]  # of this one alone
        self.weight = plugin.weight  # type: ignore[misc]
        everything = frozenset(ClusterEvent)
        self.helped_by = plugin.helped_by or everything  # type: ignore[misc]  # as upstream's that say nothing
        self.opened_by = (  # type: ignore[misc]
            plugin.opened_by or self.helped_by if says_something(plugin, "gate") else frozenset()
        )
        self.releases = plugin.releases  # type: ignore[misc]
        self._plugin = plugin
        self.limited = limited

    @property
    def original(self) -> Plugin:
        """The plugin that is asked."""
        return self._plugin

    def is_helped(self, waiting: PodInfo, arrived: PodInfo, snapshot: Snapshot) -> bool:
        """Whether it says so; where it fails, it might have."""
        try:
            return bool(self._ask("QueueingHint", self._plugin.is_helped, waiting, arrived, snapshot))
        except PluginFailed:
            return True

    def asks_each(self, needs: Needs) -> bool:
        """Return what it says; one that reads more than the template and forgot to say so is asked about each pod, too."""
        del needs
        return True

    def gate(self, pod: PodInfo, snapshot: Snapshot) -> str:
        """Return what the pod has to wait for."""
        found: str = self._checked("PreEnqueue", str, "a text", self._plugin.gate, pod, snapshot)
        return found

    def need(self, pod: PodInfo, snapshot: Snapshot) -> Need | Stopped | None:
        """Return what it has to know of the pod."""
        found: Need | Stopped | None = self._ask("PreFilter", self._plugin.need, pod, snapshot)
        if isinstance(found, Stopped):
            return self._stopped("PreFilter", found)
        self.check("PreFilter", found, _is_hashable(found), "a value that can be hashed")
        return found

    def filter(self, need: Any, snapshot: Snapshot) -> Filter | None:
        """Return the filter, with its own verdicts guarded."""
        found: Filter | None = self._checked(
            "Filter", Filter | None, "a Filter", self._plugin.filter, need, snapshot
        )
        if found is None:
            return None
        judge = found.judge
        return replace(found, judge=lambda node: self._verdict(judge, node))

    def score(self, need: Any, snapshot: Snapshot) -> Score | None:
        """Return the score, with its own numbers guarded."""
        found: Score | None = self._checked(
            "Score", Score | None, "a Score", self._plugin.score, need, snapshot
        )
        if found is None:
            return None
        renew = found.renew
        return replace(
            found,
            rate=self._rating(found.rate, is_raw=found.normalize is not None),
            normalize=None if found.normalize is None else self._normalizing(found.normalize),
            renew=None if renew is None else lambda: bool(self._ask("PreScore", renew)),
        )

    def relate(self, need: Any, snapshot: Snapshot) -> Relation | None:
        """Return the relation, guarded."""
        found = self._ask("Filter", self._plugin.relate, need, snapshot)
        return None if found is None else _GuardedRelation(found, self)

    def remedy(self, pod: PodInfo, verdicts: Verdicts, snapshot: Snapshot) -> Remedy | None:
        """Return what is said to a pod that fits nowhere."""
        kind = Remedy | None
        found = self._checked("PostFilter", kind, "a Remedy", self._plugin.remedy, pod, verdicts, snapshot)
        return None if found is None else Remedy(str(found.message))  # nobody would do what it wants done

    def reserve(self, pod: PodInfo, need: Any, node: NodeInfo, snapshot: Snapshot) -> Any:
        """Return what the pod gets beside the node."""
        return self._ask("Reserve", self._plugin.reserve, pod, need, node, snapshot)

    def keep(self, reserved: Any, node: str, snapshot: Snapshot) -> None:
        """Count it as given away."""
        self._ask("Reserve", self._plugin.keep, reserved, node, snapshot)

    def release(self, reserved: Any, snapshot: Snapshot) -> None:
        """Count it as free."""
        self._ask("Unreserve", self._plugin.release, reserved, snapshot)

    def unreserve(self, pod: PodInfo, node: str, handle: Handle) -> None:
        """Note that a pod does not get its node."""
        self._ask("Unreserve", self._plugin.unreserve, pod, node, handle)

    def queue_key(self, pod: PodInfo, added_s: float) -> tuple[float, ...]:
        """Return the numbers by which the queue is in order."""
        found: tuple[float, ...] = self._ask("QueueSort", self._plugin.queue_key, pod, added_s)
        is_one = isinstance(found, tuple) and all(
            isinstance(each, int | float) and not math.isnan(each) for each in found
        )
        self.check("QueueSort", found, is_one, "a tuple of numbers")
        return found

    def permit(self, pod: PodInfo, node: NodeInfo, handle: Handle) -> Wait | Stopped | None:
        """Return whether the pod may be bound."""
        kind = Wait | Stopped | None
        found = self._checked(
            "Permit", kind, "a Wait or what `stop` returns", self._plugin.permit, pod, node, handle
        )
        return self._stopped("Permit", found) if isinstance(found, Stopped) else found

    async def pre_bind(self, pod: PodInfo, node: str, api: Any) -> None:
        """Do what has to be done before the pod is bound.

        Raises:
            PluginFailed: the plugin raised something.
        """
        await _Steps(self, "PreBind", self._plugin.pre_bind, (pod, node, api))

    async def bind(self, pod: PodInfo, node: str, api: Any) -> bool:
        """Bind a pod, or leave it to the next.

        Raises:
            PluginFailed: the plugin raised something.
        """
        return bool(await _Steps(self, "Bind", self._plugin.bind, (pod, node, api)))

    async def post_bind(self, pod: PodInfo, node: str, api: Any) -> None:
        """Do what is to be done after the pod was bound.

        Raises:
            PluginFailed: the plugin raised something.
        """
        await _Steps(self, "PostBind", self._plugin.post_bind, (pod, node, api))

    # -- with care --

    def ask(self, point: str, call: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function of the plugin's. TooSlow is raised below this, if anywhere.

        Raises:
            PluginFailed: it raised something, or took too long.
        """
        try:
            return call(*arguments)
        except TooSlow as error:
            raise PluginFailed(self.name, point, str(error)) from error
        except _RAISED as error:
            raise self._failed(point, error) from error

    def check(self, point: str, said: object, is_right: bool, wanted: str) -> None:  # noqa: FBT001 - what is asked
        """Raise where what it says makes no sense.

        Raises:
            PluginFailed: it does not.
        """
        if not is_right:
            raise PluginFailed(self.name, point, f"it said {said!r:.80}, where {wanted} is wanted")

    def _ask(self, point: str, call: Callable[..., Any], *arguments: Any) -> Any:
        with self.limited():
            return self.ask(point, call, *arguments)

    def _checked(self, point: str, kind: Any, wanted: str, call: Callable[..., Any], *arguments: Any) -> Any:
        found = self._ask(point, call, *arguments)
        self.check(point, found, isinstance(found, kind), wanted)
        return found

    def _failed(self, point: str, error: BaseException) -> PluginFailed:
        return PluginFailed(self.name, point, f"{type(error).__name__}: {error}")

    def _stopped(self, point: str, found: Stopped) -> Stopped:
        self.check(point, found.message, isinstance(found.message, str), "a text")
        return Stopped(self.name, found.message)

    def _verdict(self, judge: Callable[[NodeInfo], Rejection | None], node: NodeInfo) -> Rejection | None:
        found = self.ask("Filter", judge, node)
        return None if found is None else self.rejection("Filter", found)

    def rejection(self, point: str, found: Any) -> Rejection:
        """Return a rejection in the plugin's name.

        Raises:
            PluginFailed: it is none.
        """
        is_one = isinstance(found, Rejection) and all(isinstance(each, str) for each in found.reasons)
        self.check(point, found, is_one, "None, or what `reject` returns,")
        rejection: Rejection = found
        return rejection if rejection.plugin == self.name else replace(rejection, plugin=self.name)

    def _rating(self, rate: Callable[[NodeInfo], int], *, is_raw: bool) -> Callable[[NodeInfo], int]:
        wanted = "a whole number" if is_raw else f"a whole number from 0 to {MAX_SCORE}"

        def rated(node: NodeInfo) -> int:
            found: int = self.ask("Score", rate, node)
            is_one = type(found) is int and (is_raw or 0 <= found <= MAX_SCORE)
            self.check("Score", found, is_one, wanted)
            return found

        return rated

    def _normalizing(self, normalize: Normalize) -> Normalize:
        def normalized(raw: int, lowest: int, highest: int) -> int:
            found: int = self.ask("NormalizeScore", normalize, raw, lowest, highest)
            is_one = type(found) is int and 0 <= found <= MAX_SCORE
            self.check("NormalizeScore", found, is_one, f"a whole number from 0 to {MAX_SCORE}")
            return found

        return normalized


class _Steps:
    """A coroutine of a plugin's, whose steps from one wait to the next are calls that are guarded and limited."""

    def __init__(
        self, guard: Guarded, point: str, call: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> None:
        self._guard = guard
        self._point = point
        self._call = call
        self._arguments = arguments

    def __await__(self) -> Generator[Any, Any, Any]:
        begun = self._ask(self._call, *self._arguments)
        is_one = isinstance(begun, Awaitable)
        self._guard.check(self._point, begun, is_one, "something to await (an `async def`)")
        steps = begun.__await__()
        resume, what = steps.send, None
        while True:
            ended, result = self._ask(_step, resume, what)
            if ended:
                return result
            try:
                resume, what = steps.send, (yield result)
            except BaseException as error:  # noqa: BLE001 - it is the plugin's to see: it is cancelled
                resume, what = steps.throw, error

    def _ask(self, call: Callable[..., Any], *arguments: Any) -> Any:
        with self._guard.limited():
            return self._guard.ask(self._point, call, *arguments)


def _step(resume: Callable[[Any], Any], what: Any) -> tuple[bool, Any]:
    """Go on until the next wait; return whether there is none, and what is waited for, or the result."""
    try:
        return False, resume(what)
    except StopIteration as end:
        return True, end.value


class _GuardedRelation:
    """A relation whose calls are guarded."""

    def __init__(self, relation: Relation, guard: Guarded) -> None:
        self._relation = relation
        self._guard = guard
        self.filters = bool(guard.ask("Filter", lambda: relation.filters))
        self.scores = bool(guard.ask("Score", lambda: relation.scores))

    def join(self, node: NodeInfo) -> Collection[int]:
        return self._moved(self._relation.join, node)

    def recount(self, node: NodeInfo) -> Collection[int]:
        return self._moved(self._relation.recount, node)

    def leave(self, index: int) -> Collection[int]:
        return self._moved(self._relation.leave, index)

    def fact(self, index: int) -> Hashable:
        found: Hashable = self._guard.ask("Filter", self._relation.fact, index)
        self._guard.check("Filter", found, _is_hashable(found), "a fact that can be hashed")
        return found

    def settle(self) -> None:
        self._guard.ask("Filter", self._relation.settle)

    def rejection(self, fact: Any) -> Rejection | None:
        found = self._guard.ask("Filter", self._relation.rejection, fact)
        return None if found is None else self._guard.rejection("Filter", found)

    def rejection_with(self, changed: NodeInfo) -> Rejection | None:
        """Return what it says of other pods; of a relation that cannot say, what holds now: then nobody is taken away for a pod."""
        ask = getattr(self._relation, "rejection_with", None)
        if ask is None:
            return self.rejection(self.fact(changed.index))
        found = self._guard.ask("Filter", ask, changed)
        return None if found is None else self._guard.rejection("Filter", found)

    def neighbourhood(self, index: int) -> Hashable:
        """Return the node alone."""
        return index

    def neighbourhood_version(self) -> Hashable:
        """Return always the same."""
        return ()

    def besides(self, index: int, kept: int) -> Hashable:
        """Return something new each time: what it looks at is not known."""
        del index, kept
        return object()

    def points(self, candidates: Sequence[tuple[Any, int]]) -> Sequence[int]:
        found: Sequence[int] = self._guard.ask("Score", self._relation.points, candidates)
        is_right = (
            isinstance(found, Sequence)
            and len(found) == len(candidates)
            and all(type(each) is int and 0 <= each <= MAX_SCORE for each in found)
        )
        self._guard.check("Score", found, is_right, f"{len(candidates)} whole numbers from 0 to {MAX_SCORE}")
        return found

    def _moved(self, call: Callable[[Any], Collection[int]], what: object) -> Collection[int]:
        found: Collection[int] = self._guard.ask("Filter", call, what)
        is_right = isinstance(found, Collection) and all(isinstance(each, int) for each in found)
        self._guard.check("Filter", found, is_right, "the indexes of nodes")
        return found


def _is_hashable(value: object) -> bool:
    try:
        hash(value)
    except Exception:  # noqa: BLE001 - the plugin's own __hash__ may raise anything
        return False
    return True

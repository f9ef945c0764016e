"""EventRateLimit: nobody floods the store with Events; not on by default.

Of each limit there are buckets, one for all, or one for each namespace, user, or source and object; a bucket refills with
`qps` events a wall second up to `burst`. What overflows is a 429. Updates count, too.
https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#eventratelimit
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from apiserver.core.admission.attributes import Attributes, LookedUp, Plugin, Settings, about
from apiserver.core.values import Json, metadata
from machinery.model.errors import TooManyRequests
from machinery.model.k8s import served

NAME: Final = "EventRateLimit"
EVENT_RATE_LIMIT: Final = Plugin(NAME, about(served.EVENTS))
"""Its place among the plugins; what it does follows from its limits (`limiting`)."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many events a second are taken."""

    type: str  # Server, Namespace, User or SourceAndObject
    qps: int
    burst: int
    buckets: int = 4096  # how many are remembered; a bucket that is forgotten is full again


class _Buckets:
    def __init__(self, limit: Limit, now: Callable[[], float]) -> None:
        self.limit = limit
        self._now = now
        self._left: OrderedDict[str, tuple[float, float]] = (
            OrderedDict()
        )  # events, and when they were counted

    def take(self, key: str) -> bool:
        """Count an event against its bucket; return whether there was room for it."""
        now_s, limit = self._now(), self.limit
        left, then_s = self._left.pop(key, (float(limit.burst), now_s))
        left = min(float(limit.burst), left + (now_s - then_s) * limit.qps)
        is_taken = left >= 1.0
        self._left[key] = (left - 1.0 if is_taken else left, now_s)
        if len(self._left) > limit.buckets:
            self._left.popitem(last=False)
        return is_taken


def _key(type_: str, attributes: Attributes, event: Json) -> str:
    if type_ == "Namespace":
        return attributes.namespace
    if type_ == "User":
        return attributes.user.name
    if type_ == "Server":
        return ""
    source, about_ = event.get("source") or {}, event.get("involvedObject") or {}
    fields = (about_.get(name) or "" for name in ("kind", "namespace", "name", "uid", "apiVersion"))
    return "".join((source.get("component") or "", source.get("host") or "", *fields))


def limiting(limits: Iterable[Limit], now: Callable[[], float]) -> Plugin:
    """Return the plugin with its limits; `now` returns wall seconds of a clock that never goes back."""
    every = [_Buckets(limit, now) for limit in limits]

    def validate(
        attributes: Attributes, obj: Json, _old: Json | None, _looked_up: LookedUp, _settings: Settings
    ) -> tuple[str, ...]:
        refused = ""
        for buckets in every:  # each counts what another one refuses
            type_ = buckets.limit.type
            key = _key(type_, attributes, obj)
            if not buckets.take(key):
                refused = f"limit reached on type {type_} for key {key}"
        if refused:
            kind, name = attributes.kind, str(metadata(obj).get("name", ""))
            text = f"Too many requests: {refused}"
            raise TooManyRequests(text, kind=kind.plural, group=kind.group, name=name)
        return ()

    return Plugin(NAME, about(served.EVENTS), validate=validate)

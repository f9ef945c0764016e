"""Which mutating webhooks and policies are asked a second time: once, if another one has changed the object after them.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#reinvocation-policy
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Reinvocation:
    """What is known of one request's mutations, through both of its rounds."""

    is_second: bool = False
    is_wanted: bool = False  # whether there is to be a second round
    _reinvocable: set[Hashable] = field(
        default_factory=set
    )  # asked in this round, and willing to be asked again
    _again: set[Hashable] = field(default_factory=set)
    _last: Any = None  # the object as the last of them left it

    def begin_second(self, obj: Any) -> None:
        """Begin the second round; `obj` is what the plugins have made of the object meanwhile."""
        self.is_second = True
        if obj != self._last:
            self._ask_again()

    def is_asked(self, who: Hashable) -> bool:
        """Whether a webhook or a policy that the request concerns is asked in this round: nobody for the first time in the second."""
        return not self.is_second or who in self._again

    def asked(self, who: Hashable, obj: Any, *, changed: bool, reinvocable: bool) -> None:
        """Note what came of asking one."""
        if changed:
            self._ask_again()
            self.is_wanted = True
        if reinvocable:
            self._reinvocable.add(who)
        self._last = obj

    def _ask_again(self) -> None:
        self._again |= self._reinvocable
        self._reinvocable = set()

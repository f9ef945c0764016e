"""Evaluations of one request's expressions: what they ask the authorizer is asked, what costs much is done in a thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar, cast

from apiserver.aside import SMALL, aside
from apiserver.core.admission.attributes import Attributes
from apiserver.core.authz import attributes as authz
from apiserver.core.hooks.expressions import CHEAP, Answers, Check, Question, Unanswered
from apiserver.request import UserInfo
from machinery.cel import Budget, BudgetExceededError
from machinery.cel.library.authorizers import Decision, PathCheck

R = TypeVar("R")

_HEAVY: Final = SMALL + 1  # bytes: more than is done between two turns of the loop
_QUESTIONS: Final = 100  # that the expressions of one request may ask
_ACCOUNT_GROUPS: Final = ("system:serviceaccounts", "system:authenticated")

Authorize = Callable[[UserInfo, authz.Attributes], Awaitable[authz.Decision]]


class Evaluation:
    """The expressions of one request."""

    def __init__(self, attributes: Attributes, authorize: Authorize) -> None:
        self.answers = Answers()
        self._user = cast(UserInfo, attributes.user)
        self._authorize = authorize

    async def run(self, work: Callable[[Budget], R], limit: int) -> R:
        """Return what `work` returns; it evaluates with a budget, and may be begun several times.

        Raises:
            BudgetExceededError: it costs more than `limit`.
        """
        try:
            return await self._answered(work, min(CHEAP, limit), weight=0)
        except BudgetExceededError:
            if limit <= CHEAP:
                raise
        return await self._answered(work, limit, weight=_HEAVY)

    async def _answered(self, work: Callable[[Budget], R], limit: int, *, weight: int) -> R:
        for _ in range(_QUESTIONS):
            try:
                return await aside(weight, work, Budget(limit))
            except Unanswered as missing:
                self.answers.add(missing.question, await self._ask(missing.question))
        raise BudgetExceededError

    async def _ask(self, question: Question) -> Decision:
        user = self._user
        if account := question.check.authorizer.service_account:
            namespace, name = account
            groups = (_ACCOUNT_GROUPS[0], f"system:serviceaccounts:{namespace}", _ACCOUNT_GROUPS[1])
            user = UserInfo(f"system:serviceaccount:{namespace}:{name}", groups=groups)
        decided = await self._authorize(user, _attributes(question.check, question.verb))
        return Decision(decided.allowed, decided.reason)


def _attributes(check: Check, verb: str) -> authz.Attributes:
    if isinstance(check, PathCheck):
        return authz.Attributes(verb=verb, path=check.path)
    return authz.Attributes(
        verb=verb,
        group=check.group,
        resource=check.resource,
        subresource=check.subresource,
        namespace=check.namespace,
        name=check.name,
        fields=authz.required_fields(check.field_selector),
    )

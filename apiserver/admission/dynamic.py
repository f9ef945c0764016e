"""What the objects of admissionregistration.k8s.io say of a request: policies and webhooks, in upstream's order.

Where nothing of the kind is about a resource, all of it costs a look into an index.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Final, TypeAlias

from apiserver.admission.evaluation import Authorize, Evaluation
from apiserver.admission.forms import Forms
from apiserver.admission.webhooks import Subject, Webhooks
from apiserver.core.admission.attributes import Attributes, Operation
from apiserver.core.hooks.reinvocation import Reinvocation
from apiserver.core.values import Json

Again: TypeAlias = Callable[[Json], Awaitable[Json]]
"""Runs the plugins once more, on an object that was changed after them."""

MUTATING_WEBHOOKS: Final = "MutatingAdmissionWebhook"
VALIDATING_WEBHOOKS: Final = "ValidatingAdmissionWebhook"


class DynamicAdmission:
    """Both stages of it."""

    def __init__(
        self,
        forms: Forms,
        mutating: Webhooks,
        validating: Webhooks,
        authorize: Authorize,
        on: Collection[str],
    ) -> None:
        self._forms = forms
        self._authorize = authorize
        self._mutating = mutating if MUTATING_WEBHOOKS in on else None
        self._validating = validating if VALIDATING_WEBHOOKS in on else None

    def mutates(self, attributes: Attributes) -> bool:
        """Whether something may want an object changed."""
        return self._mutating is not None and self._mutating.about(*attributes.resource)

    def validates(self, attributes: Attributes) -> bool:
        """Whether something may refuse a request."""
        return self._validating is not None and self._validating.about(*attributes.resource)

    async def mutate(
        self, attributes: Attributes, obj: Json | None, old: Json | None, again: Again
    ) -> tuple[Json | None, tuple[str, ...]]:
        """Return the object as it is wanted, and what to warn the client of.

        Raises:
            ApiError: somebody does not want the request at all.
        """
        occasion = self._forms.occasion(attributes, obj or old, _operation(attributes, old))
        evaluation, reinvocation = Evaluation(attributes, self._authorize), Reinvocation()
        warnings: list[str] = []
        obj = await self._round(Subject(occasion, obj, old), evaluation, reinvocation, warnings)
        if reinvocation.is_wanted and obj is not None:
            obj = await again(obj)
            reinvocation.begin_second(obj)
            obj = await self._round(Subject(occasion, obj, old), evaluation, reinvocation, warnings)
        return obj, tuple(warnings)

    async def validate(self, attributes: Attributes, obj: Json | None, old: Json | None) -> tuple[str, ...]:
        """Ask whether a request is allowed; returns what to warn the client of.

        Raises:
            ApiError: it is not.
        """
        occasion = self._forms.occasion(attributes, obj or old, _operation(attributes, old))
        evaluation = Evaluation(attributes, self._authorize)
        warnings: list[str] = []
        subject = Subject(occasion, obj, old)
        if self._validating is not None:
            await self._validating.validate(subject, evaluation, warnings)
        return tuple(warnings)

    async def _round(
        self, subject: Subject, evaluation: Evaluation, reinvocation: Reinvocation, warnings: list[str]
    ) -> Json | None:
        if self._mutating is None:
            return subject.obj
        return await self._mutating.mutate(subject, evaluation, reinvocation, warnings)


def _operation(attributes: Attributes, old: Json | None) -> str:
    if attributes.operation is Operation.UPDATE and attributes.creates(old):
        return Operation.CREATE.value
    return attributes.operation.value

"""Policies and webhooks, made when there is the first of them: few clusters have any."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

from apiserver.admission.evaluation import Authorize, Evaluation
from apiserver.admission.forms import Forms
from apiserver.admission.metrics import ADMIT, VALIDATE, AdmissionMetrics
from apiserver.admission.policies import PolicyStage
from apiserver.admission.webhooks import Subject, Webhooks
from apiserver.core.admission.attributes import Attributes, Operation
from apiserver.core.hooks.reinvocation import Reinvocation
from apiserver.core.values import Json

Again: TypeAlias = Callable[[Json], Awaitable[Json]]
"""Runs the plugins once more, on an object that was changed after them."""


class Stages:
    """Both stages: of each, policies come before webhooks."""

    def __init__(
        self,
        forms: Forms,
        mutating: Mapping[str, PolicyStage | Webhooks],
        validating: Mapping[str, PolicyStage | Webhooks],
        authorize: Authorize,
        metrics: AdmissionMetrics,
    ) -> None:
        self._forms = forms
        self._authorize = authorize
        self._metrics = metrics
        self._mutating = mutating
        self._validating = validating

    def mutates(self, attributes: Attributes) -> bool:
        """Whether something may want an object changed."""
        return any(each.about(*attributes.resource) for each in self._mutating.values())

    def validates(self, attributes: Attributes) -> bool:
        """Whether something may refuse a request."""
        return any(each.about(*attributes.resource) for each in self._validating.values())

    async def mutate(
        self, attributes: Attributes, obj: Json | None, old: Json | None, again: Again
    ) -> tuple[Json | None, tuple[str, ...]]:
        """Return the object as it is wanted, and what to warn the client of.

        Raises:
            ApiError: somebody does not want the request at all.
        """
        occasion = self._forms.occasion(attributes, obj or old, _operation(attributes, old))
        evaluation, warnings = Evaluation(attributes, self._authorize), list[str]()
        # Each plugin knows by itself whom it has asked, and what they have left behind.
        known = [(name, each, Reinvocation()) for name, each in self._mutating.items()]
        for name, each, reinvocation in known:
            subject = Subject(occasion, obj, old)
            with self._measured(name, ADMIT, attributes):
                obj = await _mutated(each, subject, evaluation, reinvocation, warnings)
        if obj is not None and any(reinvocation.is_wanted for _, _, reinvocation in known):
            obj = await again(obj)
            for name, each, reinvocation in known:
                reinvocation.begin_second(obj)
                subject = Subject(occasion, obj, old)
                with self._measured(name, ADMIT, attributes):
                    obj = await _mutated(each, subject, evaluation, reinvocation, warnings)
        return obj, tuple(warnings)

    async def validate(self, attributes: Attributes, obj: Json | None, old: Json | None) -> tuple[str, ...]:
        """Ask whether a request is allowed; returns what to warn the client of.

        Raises:
            ApiError: it is not.
        """
        occasion = self._forms.occasion(attributes, obj or old, _operation(attributes, old))
        evaluation, warnings = Evaluation(attributes, self._authorize), list[str]()
        for name, each in self._validating.items():
            with self._measured(name, VALIDATE, attributes):
                await each.validate(Subject(occasion, obj, old), evaluation, warnings)
        return tuple(warnings)

    @contextmanager
    def _measured(self, name: str, stage: str, attributes: Attributes) -> Iterator[None]:
        begun_s, is_rejected = self._metrics.now(), True
        try:
            yield
            is_rejected = False
        finally:
            self._metrics.note(name, stage, attributes, begun_s, is_rejected=is_rejected)


async def _mutated(
    stage: PolicyStage | Webhooks,
    subject: Subject,
    evaluation: Evaluation,
    reinvocation: Reinvocation,
    warnings: list[str],
) -> Json | None:
    if isinstance(stage, PolicyStage):
        return await stage.mutate(subject, evaluation, reinvocation)
    return await stage.mutate(subject, evaluation, reinvocation, warnings)


def _operation(attributes: Attributes, old: Json | None) -> str:
    if attributes.operation is Operation.UPDATE and attributes.creates(old):
        return Operation.CREATE.value
    return attributes.operation.value

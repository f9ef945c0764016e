"""Webhooks of admission: those that a request concerns are asked over HTTPS, the mutating ones one after the other.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from apiserver.admission import webhook_call
from apiserver.admission.configurations import Configurations
from apiserver.admission.evaluation import Evaluation
from apiserver.admission.forms import Forms
from apiserver.admission.service_dialer import ServiceDialer
from apiserver.admission.web_client import CallFailed, WebClient
from apiserver.admission.webhook_call import AsWhom, as_nobody
from apiserver.admission.webhook_metrics import WebhookMetrics
from apiserver.aside import aside
from apiserver.audit_notes import PATCHES, annotate, is_noted
from apiserver.core.admission.attributes import forbidden
from apiserver.core.catalogue import Catalogue
from apiserver.core.hooks import matching, reviews
from apiserver.core.hooks.expressions import CONDITIONS_BUDGET, match, request_variables
from apiserver.core.hooks.occasion import Form, Occasion
from apiserver.core.hooks.reinvocation import Reinvocation
from apiserver.core.hooks.reviews import Answer, BadAnswer
from apiserver.core.patch.json_patch import DoesNotApply, json_patch
from apiserver.core.values import Json, metadata
from apiserver.watch_cache_feed import Feed
from machinery.cel import BudgetExceededError
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, InternalError
from machinery.model.log import EventLog
from machinery.process.metrics import Metrics

MUTATING: Final = "mutatingwebhookconfigurations"
VALIDATING: Final = "validatingwebhookconfigurations"
_TIMEOUT_S: Final = 10  # wall seconds, where a webhook says nothing
_LONGEST_NOTE: Final = 32 * 1024  # characters of an annotation of the audit log
_NO_SIDE_EFFECTS: Final = frozenset({"None", "NoneOnDryRun"})
_WEBHOOK: Final = ".webhook.admission.k8s.io"
_OUT_OF_BUDGET: Final = (
    "validation failed due to running out of cost budget, no further validation rules will be run"
)


@dataclass(frozen=True, slots=True)
class Hook:
    """One webhook of a configuration."""

    configuration: str
    index: int  # among those of all configurations
    spec: Json

    @property
    def name(self) -> str:
        """Its name, as messages have it."""
        return str(self.spec.get("name", ""))

    @property
    def identity(self) -> Hashable:
        """What it is known by while a request is admitted."""
        return self.configuration, self.index, self.name


class Subject(NamedTuple):
    """A request with its objects, in the stored version."""

    occasion: Occasion
    obj: Json | None
    old: Json | None


class _Refusal(Exception):  # noqa: N818 - it names an outcome
    """A webhook does not allow the request."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(error.message)
        self.error = error


class Hooks:
    """The webhooks that there are, by what they may be about."""

    def __init__(self, every: Sequence[Hook]) -> None:
        self._every = every
        self._about: dict[tuple[str, str], tuple[Hook, ...]] = {}

    def about(self, resource: tuple[str, str], places: matching.Places) -> tuple[Hook, ...]:
        """Return those whose rules can be about a resource, wherever it is served, in the order in which they are asked."""
        found = self._about.get(resource)
        if found is None:
            where = places(*resource)
            found = tuple(
                hook for hook in self._every if matching.concerns(hook.spec.get("rules") or (), where)
            )
            self._about[resource] = found
        return found


def read_hooks(configurations: Mapping[str, Sequence[Json]]) -> Hooks:
    """Read configurations, in the order of their names."""
    every = (
        (str(metadata(each).get("name", "")), spec)
        for listed in configurations.values()
        for each in listed
        for spec in each.get("webhooks") or ()
    )
    return Hooks([Hook(name, index, spec) for index, (name, spec) in enumerate(every)])


class Webhooks:
    """Asks the webhooks of one stage."""

    def __init__(
        self,
        plural: str,
        catalogue: Catalogue,
        feed: Feed,
        forms: Forms,
        client: WebClient,
        dialer: ServiceDialer,
        clock: Clock,
        log: EventLog,
        metrics: Metrics,
        as_whom: AsWhom = as_nobody,
    ) -> None:
        self._mutates = plural == MUTATING
        self._as_whom = as_whom
        self._stage = "admit" if self._mutates else "validating"
        self._found = Configurations(catalogue, feed, matching.GROUP, [plural], read_hooks)
        self._forms = forms
        self._client = client
        self._dialer = dialer
        self._clock = clock
        self._log = log
        self._numbers = WebhookMetrics(metrics)

    def about(self, group: str, plural: str) -> bool:
        """Whether there is a webhook that can be about a resource: a look into an index."""
        if self._found.is_empty or matching.is_exempt(group, plural):
            return False
        return bool(self._about((group, plural)))

    def _about(self, resource: tuple[str, str]) -> tuple[Hook, ...]:
        return self._found.current().about(resource, self._forms.places)

    async def mutate(
        self, subject: Subject, evaluation: Evaluation, reinvocation: Reinvocation, warnings: list[str]
    ) -> Json | None:
        """Return the object as the webhooks want it, asked one after the other.

        Raises:
            ApiError: one of them does not allow the request, or could not be asked and may not be left out.
        """
        for hook in self._about(subject.occasion.attributes.resource):
            form = await self._form(hook, subject, evaluation)
            if form is None or not reinvocation.is_asked(hook.identity):
                continue
            try:
                obj = await self._mutated(hook, form, subject, reinvocation, warnings)
            except _Refusal as refusal:
                raise refusal.error from None
            reinvocation.asked(
                hook.identity,
                obj,
                changed=obj is not subject.obj,
                reinvocable=hook.spec.get("reinvocationPolicy") == "IfNeeded",
            )
            subject = subject._replace(obj=obj)
        return subject.obj

    async def validate(self, subject: Subject, evaluation: Evaluation, warnings: list[str]) -> None:
        """Ask the webhooks that a request concerns, all at once.

        Raises:
            ApiError: one of them does not allow the request, or could not be asked and may not be left out.
        """
        concerned = [
            (hook, form)
            for hook in self._about(subject.occasion.attributes.resource)
            if (form := await self._form(hook, subject, evaluation)) is not None
        ]
        refusals: list[ApiError] = []

        async def ask(hook: Hook, form: Form, position: str) -> None:
            try:
                if answer := await self._asked(hook, form, subject, position):
                    warnings.extend(answer.warnings)
            except _Refusal as refusal:
                refusals.append(refusal.error)
            except ApiError as error:  # of who converts the object
                refusals.append(error)

        async with asyncio.TaskGroup() as tasks:
            for index, (hook, form) in enumerate(concerned):
                tasks.create_task(ask(hook, form, _position(0, index)))
        if refusals:
            raise refusals[0]

    async def _form(self, hook: Hook, subject: Subject, evaluation: Evaluation) -> Form | None:
        """Return the form of a request that a webhook is told of; None where it is not asked."""
        occasion, obj, old = subject
        form = matching.matching_form(hook.spec, occasion)
        if form is None or not matching.is_selected(hook.spec, occasion, obj, old):
            return None
        conditions = hook.spec.get("matchConditions")
        if not conditions:
            return form
        attributes = occasion.attributes
        new, before = await self._forms.show(form, attributes, obj, old)
        variables = request_variables(occasion, form, new, before, evaluation.answers)
        begun_s, about = self._clock.monotonic_wall(), (hook.name, "webhook", self._stage, occasion.operation)
        try:
            found = await evaluation.run(
                lambda budget: match(conditions, variables, budget), CONDITIONS_BUDGET
            )
            error = found.error
        except BudgetExceededError:
            error = _OUT_OF_BUDGET
        else:
            if found.is_match:
                return form
        finally:
            self._numbers.matching.observe(self._clock.monotonic_wall() - begun_s, *about)
        counted = self._numbers.unmatched if error else self._numbers.excluded
        counted.add(1, *about)
        if error and hook.spec.get("failurePolicy") != "Ignore":
            raise forbidden(attributes, obj or old, error)
        return None

    async def _mutated(
        self,
        hook: Hook,
        form: Form,
        subject: Subject,
        reinvocation: Reinvocation,
        warnings: list[str],
    ) -> Json | None:
        """Ask one webhook, and patch the object as it says."""
        position = _position(int(reinvocation.is_second), hook.index)
        answer = await self._asked(hook, form, subject, position)
        if answer is None:
            return subject.obj
        warnings.extend(answer.warnings)
        patched = subject.obj
        if answer.patch:
            patched = await self._patched(hook, form, subject, answer.patch, position)
        if is_noted():
            _note_mutation(hook, answer, position, changed=patched is not subject.obj)
        return patched

    async def _patched(
        self, hook: Hook, form: Form, subject: Subject, patch: bytes, position: str
    ) -> Json | None:
        try:
            operations = msgspec.json.decode(patch)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            why = f"received undecodable patch in webhook response: {error}"
            self._failed(hook, subject, why, position)
            return subject.obj
        if not operations:
            return subject.obj
        attributes, obj = subject.occasion.attributes, subject.obj
        if obj is None:
            text = f'admission webhook "{hook.name}" attempted to modify the object, which is not supported for this operation'
            raise _Refusal(InternalError(f"Internal error occurred: {text}"))

        def patched() -> Json:
            shown = self._forms.shown(form, attributes, obj)
            return self._forms.read(form, attributes, json_patch(shown or {}, operations), obj)

        try:
            changed = await aside(len(patch) + len(msgspec.json.encode(obj)), patched)
        except ApiError as error:
            problem = error.problem if isinstance(error, DoesNotApply) else error.message
            raise _Refusal(InternalError(f"Internal error occurred: {problem}")) from error
        return obj if changed == obj else changed

    async def _asked(self, hook: Hook, form: Form, subject: Subject, position: str) -> Answer | None:
        """Return what a webhook answers; None where it could not be asked and is left out.

        Raises:
            _Refusal: the request ends with it.
        """
        occasion, begun = subject.occasion, self._clock.monotonic_wall()
        if occasion.attributes.dry_run and hook.spec.get("sideEffects") not in _NO_SIDE_EFFECTS:
            raise _Refusal(reviews.no_dry_run(hook.name))
        try:
            answer = await self._call(hook, form, subject)
        except (CallFailed, BadAnswer) as error:
            said = (
                "failed to call webhook"
                if isinstance(error, CallFailed)
                else "received invalid webhook response"
            )
            is_rejected = hook.spec.get("failurePolicy") != "Ignore"
            self._count(hook, occasion, begun, 0, is_rejected=is_rejected)
            self._failed(hook, subject, f"{said}: {error}", position)
            return None
        for key, value in answer.annotations:
            annotate(f"{hook.name}/{key}", value[:_LONGEST_NOTE])
        if answer.is_allowed:
            self._count(hook, occasion, begun, 200, is_rejected=False)
            return answer
        denial = reviews.denial(hook.name, answer.status)
        self._count(hook, occasion, begun, denial.code, is_rejected=True)
        self._numbers.rejected.add(
            1, hook.name, self._stage, occasion.operation, "no_error", str(denial.code)
        )
        raise _Refusal(denial)

    def _count(self, hook: Hook, occasion: Occasion, begun: float, code: int, *, is_rejected: bool) -> None:
        """Count a call; the code is 0 where nobody answered."""
        took_s, rejected = self._clock.monotonic_wall() - begun, str(is_rejected).lower()
        self._numbers.durations.observe(took_s, hook.name, self._stage, occasion.operation, rejected)
        self._numbers.requests.add(1, hook.name, self._stage, occasion.operation, str(code), rejected)

    async def _call(self, hook: Hook, form: Form, subject: Subject) -> Answer:
        occasion, attributes = subject.occasion, subject.occasion.attributes
        version, uid = reviews.version_for(hook.spec), str(uuid.uuid4())
        if not version:
            raise CallFailed("webhook does not accept known AdmissionReview versions (v1, v1beta1)")
        shown = await self._forms.show(form, attributes, subject.obj, subject.old)
        review = reviews.review(version, uid, occasion, form, *shown)
        timeout_s = hook.spec.get("timeoutSeconds") or _TIMEOUT_S
        config, body = hook.spec.get("clientConfig") or {}, msgspec.json.encode(review)
        answered = await webhook_call.post(config, body, timeout_s, self._client, self._dialer, self._as_whom)
        read = reviews.read_answer
        return await aside(len(answered), lambda: read(answered, version, uid, mutates=self._mutates))

    def _failed(self, hook: Hook, subject: Subject, why: str, position: str) -> None:
        """Leave a webhook out that could not be asked, or end the request.

        Raises:
            _Refusal: the request ends with it.
        """
        operation = subject.occasion.operation
        fails_open = hook.spec.get("failurePolicy") == "Ignore"
        self._log.warning(
            "webhook_failed",
            webhook=hook.name,
            configuration=hook.configuration,
            ignored=fails_open,
            error=why,
        )
        if fails_open:
            self._numbers.failed_open.add(1, hook.name, self._stage)
            annotate(f"failed-open.{self._stage_prefix()}{_WEBHOOK}/{position}", hook.name)
            return
        self._numbers.rejected.add(1, hook.name, self._stage, operation, "calling_webhook_error", "0")
        raise _Refusal(reviews.call_failed(hook.name, why))

    def _stage_prefix(self) -> str:
        return "mutation" if self._mutates else "validating"


def _position(round_: int, index: int) -> str:
    """Return where a call stands among those of its stage, as the audit log has it."""
    return f"round_{round_}_index_{index}"


def _note_mutation(hook: Hook, answer: Answer, position: str, *, changed: bool) -> None:
    """Note in the audit log what a webhook has done; the patch is for those who log requests whole."""
    who = {"configuration": hook.configuration, "webhook": hook.name}
    noted = msgspec.json.encode({**who, "mutated": changed})
    annotate(f"mutation{_WEBHOOK}/{position}", noted.decode())
    if changed:
        patch = {**who, "patch": msgspec.Raw(answer.patch), "patchType": answer.patch_type}
        annotate(f"{PATCHES}{position}", msgspec.json.encode(patch).decode())

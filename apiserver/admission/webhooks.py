"""Webhooks of admission: those that a request concerns are asked over HTTPS, the mutating ones one after the other.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import uuid
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from apiserver.admission.configurations import Configurations
from apiserver.admission.evaluation import Evaluation
from apiserver.admission.forms import Forms
from apiserver.admission.service_dialer import ServiceDialer
from apiserver.admission.web_client import CallFailed, Server, WebClient
from apiserver.aside import aside
from apiserver.audit_notes import annotate
from apiserver.core.admission.attributes import forbidden
from apiserver.core.catalogue import Catalogue
from apiserver.core.hooks import matching, reviews
from apiserver.core.hooks.expressions import CONDITIONS_BUDGET, match, request_variables
from apiserver.core.hooks.occasion import Form, Occasion
from apiserver.core.hooks.reinvocation import Reinvocation
from apiserver.core.hooks.reviews import Answer, BadAnswer
from apiserver.core.patch.json_patch import json_patch
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
_HTTPS: Final = 443
_LONGEST_NOTE: Final = 32 * 1024  # characters of an annotation of the audit log
_NO_SIDE_EFFECTS: Final = frozenset({"None", "NoneOnDryRun"})
_OUT_OF_BUDGET: Final = (
    "validation failed due to running out of cost budget, no further validation rules will be run"
)


@dataclass(frozen=True, slots=True)
class Hook:
    """One webhook of a configuration."""

    configuration: str
    index: int
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

    def about(self, group: str, resource: str) -> tuple[Hook, ...]:
        """Return those whose rules can be about a resource, in the order in which they are asked."""
        found = self._about.get((group, resource))
        if found is None:
            found = tuple(
                hook
                for hook in self._every
                if matching.concerns(hook.spec.get("rules") or (), group, resource)
            )
            self._about[group, resource] = found
        return found


def read_hooks(configurations: Mapping[str, Sequence[Json]]) -> Hooks:
    """Read configurations, in the order of their names."""
    return Hooks(
        [
            Hook(str(metadata(each).get("name", "")), index, spec)
            for listed in configurations.values()
            for each in listed
            for index, spec in enumerate(each.get("webhooks") or ())
        ]
    )


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
    ) -> None:
        self._mutates = plural == MUTATING
        self._stage = "admit" if self._mutates else "validating"
        self._found = Configurations(catalogue, feed, matching.GROUP, [plural], read_hooks)
        self._forms = forms
        self._client = client
        self._dialer = dialer
        self._clock = clock
        self._log = log
        self._rejected = metrics.counter(
            "apiserver_admission_webhook_rejection_count",
            "Requests that a webhook has ended",
            ("name", "type", "operation", "error_type", "rejection_code"),
        )
        self._failed_open = metrics.counter(
            "apiserver_admission_webhook_fail_open_count",
            "Calls of webhooks that failed and were ignored",
            ("name", "type"),
        )
        self._durations = metrics.histogram(
            "apiserver_admission_webhook_admission_duration_seconds",
            "Wall time of the calls of webhooks",
            ("name", "type", "operation"),
        )

    def about(self, group: str, plural: str) -> bool:
        """Whether there is a webhook that can be about a resource: a look into an index."""
        if self._found.is_empty or matching.is_exempt(group, plural):
            return False
        return bool(self._found.current().about(group, plural))

    async def mutate(
        self, subject: Subject, evaluation: Evaluation, reinvocation: Reinvocation, warnings: list[str]
    ) -> Json | None:
        """Return the object as the webhooks want it, asked one after the other.

        Raises:
            ApiError: one of them does not allow the request, or could not be asked and may not be left out.
        """
        for hook in self._found.current().about(*subject.occasion.attributes.resource):
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
            for hook in self._found.current().about(*subject.occasion.attributes.resource)
            if (form := await self._form(hook, subject, evaluation)) is not None
        ]
        refusals: list[ApiError] = []

        async def ask(hook: Hook, form: Form) -> None:
            try:
                if answer := await self._asked(hook, form, subject):
                    warnings.extend(answer.warnings)
            except _Refusal as refusal:
                refusals.append(refusal.error)

        async with asyncio.TaskGroup() as tasks:
            for hook, form in concerned:
                tasks.create_task(ask(hook, form))
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
        new, before = (self._forms.shown(form, attributes, each) for each in (obj, old))
        variables = request_variables(occasion, form, new, before, evaluation.answers)
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
        answer = await self._asked(hook, form, subject)
        if answer is None:
            return subject.obj
        warnings.extend(answer.warnings)
        patched = subject.obj
        if answer.patch:
            patched = await self._patched(hook, form, subject, answer.patch)
        position = f"round_{int(reinvocation.is_second)}_index_{hook.index}"
        noted = {
            "configuration": hook.configuration,
            "webhook": hook.name,
            "mutated": patched is not subject.obj,
        }
        annotate(f"mutation.webhook.admission.k8s.io/{position}", msgspec.json.encode(noted).decode())
        return patched

    async def _patched(self, hook: Hook, form: Form, subject: Subject, patch: bytes) -> Json | None:
        try:
            operations = msgspec.json.decode(patch)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            why = f"received undecodable patch in webhook response: {error}"
            self._failed(hook, subject, why)
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
            raise _Refusal(InternalError(f"Internal error occurred: {error.message}")) from error
        return obj if changed == obj else changed

    async def _asked(self, hook: Hook, form: Form, subject: Subject) -> Answer | None:
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
            self._failed(hook, subject, f"{said}: {error}")
            return None
        finally:
            took_s = self._clock.monotonic_wall() - begun
            self._durations.observe(took_s, hook.name, self._stage, occasion.operation)
        for key, value in answer.annotations:
            annotate(f"{hook.name}/{key}", value[:_LONGEST_NOTE])
        if answer.is_allowed:
            return answer
        denial = reviews.denial(hook.name, answer.status)
        self._rejected.add(1, hook.name, self._stage, occasion.operation, "no_error", str(denial.code))
        raise _Refusal(denial)

    async def _call(self, hook: Hook, form: Form, subject: Subject) -> Answer:
        occasion, attributes = subject.occasion, subject.occasion.attributes
        version, uid = reviews.version_for(hook.spec), str(uuid.uuid4())
        if not version:
            raise CallFailed("webhook does not accept known AdmissionReview versions (v1, v1beta1)")
        shown = [self._forms.shown(form, attributes, each) for each in (subject.obj, subject.old)]
        review = reviews.review(version, uid, occasion, form, *shown)
        timeout_s = hook.spec.get("timeoutSeconds") or _TIMEOUT_S
        server, path, url = self._server(hook.spec.get("clientConfig") or {}, timeout_s)
        body = msgspec.json.encode(review)
        try:
            answered = await self._client.post(server, path, body, timeout_s)
        except CallFailed as error:
            raise CallFailed(f'Post "{url}": {error}') from error
        read = reviews.read_answer
        return await aside(len(answered), lambda: read(answered, version, uid, mutates=self._mutates))

    def _server(self, config: Json, timeout_s: int) -> tuple[Server, str, str]:
        """Return whom to call, the path there, and the URL as messages have it."""
        try:
            ca = base64.b64decode(config.get("caBundle") or "", validate=True)
        except (binascii.Error, ValueError) as error:
            raise CallFailed(f"caBundle is not base64: {error}") from error
        query = f"timeout={timeout_s}s"
        if service := config.get("service"):
            port, name = int(service.get("port") or _HTTPS), str(service.get("name", ""))
            server = self._dialer.server(str(service.get("namespace", "")), name, port, ca)
            path = service.get("path") or "/"
            return server, f"{path}?{query}", f"https://{server.authority}{path}?{query}"
        url = str(config.get("url", ""))
        try:
            parts = urlsplit(url)
            server = Server(parts.hostname or "", parts.port or _HTTPS, ca)
        except ValueError as error:
            raise CallFailed(f"the url is none: {error}") from error
        path, whole = parts.path or "/", f"{parts.query}&{query}" if parts.query else query
        return server, f"{path}?{whole}", f"https://{parts.netloc}{path}?{whole}"

    def _failed(self, hook: Hook, subject: Subject, why: str) -> None:
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
            self._failed_open.add(1, hook.name, self._stage)
            place = f"{self._stage_prefix()}.webhook.admission.k8s.io/round_0_index_{hook.index}"
            annotate(f"failed-open.{place}", hook.name)
            return
        self._rejected.add(1, hook.name, self._stage, operation, "calling_webhook_error", "0")
        raise _Refusal(reviews.call_failed(hook.name, why))

    def _stage_prefix(self) -> str:
        return "mutation" if self._mutates else "validating"

"""Policies of admission: those that a request concerns, with their bindings and params, one after the other.

https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
https://kubernetes.io/docs/reference/access-authn-authz/mutating-admission-policy/
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from apiserver import objects
from apiserver.admission.configurations import Configurations
from apiserver.admission.evaluation import Evaluation
from apiserver.admission.forms import Forms
from apiserver.admission.metrics import AdmissionMetrics
from apiserver.admission.webhooks import Subject
from apiserver.aside import aside
from apiserver.audit_notes import annotate
from apiserver.core import labelselector
from apiserver.core.admission.attributes import forbidden
from apiserver.core.apply.topology import Topologies
from apiserver.core.catalogue import Catalogue
from apiserver.core.hooks import mutations, policies
from apiserver.core.hooks.expressions import POLICY_BUDGET, request_variables
from apiserver.core.hooks.matching import (
    GROUP,
    UNJUDGED,
    Places,
    concerns,
    is_exempt,
    is_selected,
    policy_form,
)
from apiserver.core.hooks.occasion import Form, labels_of
from apiserver.core.hooks.policies import OUT_OF_BUDGET, Compiled, Verdict
from apiserver.core.hooks.reinvocation import Reinvocation
from apiserver.core.kind import Kind
from apiserver.core.values import Json, metadata, spec
from apiserver.storage.interface import Storage
from apiserver.watch_cache_feed import Feed
from apiserver.watch_cache_selection import Selected
from machinery.cel import Budget, BudgetExceededError
from machinery.model.errors import ApiError, Refused

VALIDATING: Final = ("validatingadmissionpolicies", "validatingadmissionpolicybindings")
MUTATING: Final = ("mutatingadmissionpolicies", "mutatingadmissionpolicybindings")
_CODES: Final = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413, "Invalid": 422}
_FAILURES: Final = "validation.policy.admission.k8s.io/validation_failure"
_COMPILED: Final = 512  # policies whose programs are kept
_HEAVY: Final = 16  # how many times longer a byte of a policy takes to compile than one of an object to read


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy and what binds it."""

    name: str
    spec: Json
    bindings: tuple[Json, ...]


class Use(NamedTuple):
    """One use of a policy on a request."""

    policy: Policy
    binding: Json | None  # None: of a policy that cannot be used at all
    form: Form
    params: Json | None
    problem: str = ""  # why it cannot be used

    @property
    def binding_name(self) -> str:
        """The name of the binding."""
        return str(metadata(self.binding or {}).get("name", ""))

    @property
    def identity(self) -> tuple[str, ...]:
        """What it is known by while a request is admitted."""
        meta = metadata(self.params or {})
        return (self.policy.name, self.binding_name, meta.get("namespace", ""), meta.get("name", ""))


class Policies:
    """The policies that are bound, by what they may be about."""

    def __init__(self, every: Sequence[Policy]) -> None:
        self._every = every
        self._about: dict[tuple[str, str], tuple[Policy, ...]] = {}

    def about(self, resource: tuple[str, str], places: Places) -> tuple[Policy, ...]:
        """Return those whose rules can be about a resource, wherever it is served."""
        found = self._about.get(resource)
        if found is None:
            where = places(*resource)
            found = tuple(each for each in self._every if concerns(_rules_of(each), where))
            self._about[resource] = found
        return found


def _rules_of(policy: Policy) -> Sequence[Json]:
    return (policy.spec.get("matchConstraints") or {}).get("resourceRules") or ()


def read_policies(found: Mapping[str, Sequence[Json]]) -> Policies:
    """Read policies and bindings; a policy that nothing binds says nothing."""
    listed, bindings = found.values()
    bound: dict[str, list[Json]] = {}
    for binding in bindings:
        bound.setdefault(str(spec(binding).get("policyName", "")), []).append(binding)
    return Policies(
        [
            Policy(name, spec(each), tuple(bound[name]))
            for each in listed
            if (name := str(metadata(each).get("name", ""))) in bound
        ]
    )


class PolicyStage:
    """The policies of one stage."""

    def __init__(
        self,
        plurals: Sequence[str],
        catalogue: Catalogue,
        feed: Feed,
        storage: Storage,
        forms: Forms,
        topologies: Topologies,
        metrics: AdmissionMetrics,
    ) -> None:
        self._mutates = plurals == MUTATING
        self._catalogue = catalogue
        self._feed = feed
        self._storage = storage
        self._forms = forms
        self._topologies = topologies
        self._metrics = metrics
        self._found = Configurations(catalogue, feed, GROUP, plurals, read_policies)
        self._compiled: dict[bytes, Compiled] = {}

    def about(self, group: str, plural: str) -> bool:
        """Whether there is a policy that can be about a resource: a look into an index."""
        if self._found.is_empty or is_exempt(group, plural) or (group, plural) in UNJUDGED:
            return False
        return bool(self._found.current().about((group, plural), self._forms.places))

    # Validating

    async def validate(self, subject: Subject, evaluation: Evaluation, warnings: list[str]) -> None:
        """Evaluate the policies that a request concerns.

        Raises:
            Refused: one of them denies it.
        """
        denied: list[tuple[str, str]] = []  # messages and reasons
        failures: list[Json] = []
        notes: dict[str, list[str]] = {}
        async for use in self._uses(subject):
            begun_s = self._metrics.now()
            verdict = await self._verdict(use, subject, evaluation)
            self._count(use, verdict, self._metrics.now() - begun_s)
            self._note(use, verdict, denied, failures, warnings)
            for key, value in verdict.annotations:
                notes.setdefault(f"{use.policy.name}/{key}", []).append(value)
        for key, values in notes.items():
            annotate(key, ", ".join(dict.fromkeys(values)))
        if failures:
            annotate(_FAILURES, msgspec.json.encode(failures).decode())
        if denied:
            raise _denial(subject, *denied[0])

    async def _verdict(self, use: Use, subject: Subject, evaluation: Evaluation) -> Verdict:
        compiled = await self._compile(use.policy)
        if use.problem:
            return policies.failed(compiled, use.problem, policies.INVALID_ERROR)
        variables = await self._variables(use, subject, evaluation)
        judge = partial(policies.judge, compiled, variables, use.params)
        try:
            return await evaluation.run(judge, POLICY_BUDGET)
        except BudgetExceededError:
            return policies.failed(compiled, OUT_OF_BUDGET, policies.BUDGET_ERROR)

    def _count(self, use: Use, verdict: Verdict, took_s: float) -> None:
        """Count what a policy has found, by what is done about it."""
        actions = ["Deny"] if use.problem else spec(use.binding or {}).get("validationActions") or ["Deny"]
        for denial in verdict.denials:
            for action in actions:
                self._metrics.checked(use.policy.name, use.binding_name, denial.error, action.lower(), took_s)

    def _note(
        self,
        use: Use,
        verdict: Verdict,
        denied: list[tuple[str, str]],
        failures: list[Json],
        warnings: list[str],
    ) -> None:
        actions = spec(use.binding or {}).get("validationActions") or ["Deny"]
        name, binding = use.policy.name, use.binding_name
        where = f"ValidatingAdmissionPolicy '{name}'" + (f" with binding '{binding}'" if binding else "")
        for denial in verdict.denials:
            if "Deny" in actions or use.problem:
                denied.append((f"{where} denied request: {denial.message}", denial.reason))
            if "Warn" in actions and not use.problem:
                warnings.append(f"Validation failed for {where}: {denial.message}")
            if "Audit" in actions and not use.problem:
                failure = {
                    "message": denial.message,
                    "policy": name,
                    "binding": binding,
                    "expressionIndex": denial.index,
                    "validationActions": actions,
                }
                failures.append(failure)
        denied += [(f"{where} denied request: {error}", "Invalid") for error in verdict.errors]

    # Mutating

    async def mutate(
        self, subject: Subject, evaluation: Evaluation, reinvocation: Reinvocation
    ) -> Json | None:
        """Return the object as the policies want it, asked one after the other.

        Raises:
            Refused: one of them cannot be used, and has to be.
        """
        problems: list[str] = []
        async for use in self._uses(subject):
            compiled = await self._compile(use.policy)
            if use.problem:
                problems += [_mutation_problem(use, use.problem)] if compiled.fails_closed else []
                continue
            if not reinvocation.is_asked(use.identity) or subject.obj is None:
                continue
            obj, problem = await self._mutated(use, compiled, subject, evaluation)
            if problem and compiled.fails_closed:
                problems.append(_mutation_problem(use, problem))
            reinvocation.asked(
                use.identity,
                obj,
                changed=obj is not subject.obj,
                reinvocable=use.policy.spec.get("reinvocationPolicy") == "IfNeeded",
            )
            subject = subject._replace(obj=obj)
        if problems:
            causes = [{"message": text} for text in problems]
            raise _refused(subject, problems[0], 403, "Invalid", causes)
        return subject.obj

    async def _mutated(
        self, use: Use, compiled: Compiled, subject: Subject, evaluation: Evaluation
    ) -> tuple[Json | None, str]:
        variables = await self._variables(use, subject, evaluation)
        attributes, form, base = subject.occasion.attributes, use.form, subject.obj or {}

        def change(obj: Json, patch_type: str, value: Any) -> Json:
            changed = mutations.changed(
                obj, patch_type, value, partial(self._merged, form, attributes.subresource)
            )
            try:
                stored = self._forms.read(form, attributes, changed, base)
            except ApiError as error:
                raise ValueError(error.message) from error
            return self._forms.shown(form, attributes, stored) or {}

        def work(budget: Budget) -> tuple[Json, str]:
            return policies.mutate(compiled, variables, use.params, budget, change)

        try:
            shown, problem = await evaluation.run(work, POLICY_BUDGET)
        except BudgetExceededError:
            return subject.obj, OUT_OF_BUDGET
        if shown is variables["object"] or shown == variables["object"]:
            return subject.obj, problem
        return await aside(0, self._forms.read, form, attributes, shown, base), problem

    def _merged(self, form: Form, subresource: str, obj: Json, config: Json) -> Json:
        kind = self._catalogue.kind(form.group, form.version, form.resource)
        if kind is None:
            raise ValueError(f"{form.resource} is not served")
        part = kind.subresources.get(subresource)
        definition = part.definition if part and part.kind != kind.kind else kind.definition
        if not definition:
            raise ValueError(f"the fields of {part.kind if part else kind.kind} are not published")
        return mutations.merged(self._topologies.root(definition), obj, config)

    # Both

    async def _variables(self, use: Use, subject: Subject, evaluation: Evaluation) -> dict[str, Any]:
        occasion, form = subject.occasion, use.form
        new, old = await self._forms.show(form, occasion.attributes, subject.obj, subject.old)
        return request_variables(occasion, form, new, old, evaluation.answers)

    async def _compile(self, policy: Policy) -> Compiled:
        text = msgspec.json.encode(policy.spec)
        found = self._compiled.get(text)
        if found is None:
            compile_policy = partial(policies.compile_policy, policy.spec, mutates=self._mutates)
            found = await aside(len(text) * _HEAVY, compile_policy)
            if len(self._compiled) >= _COMPILED:
                self._compiled.clear()
            self._compiled[text] = found
        return found

    async def _uses(self, subject: Subject) -> AsyncIterator[Use]:
        """Yield how the policies that a request concerns are used: for each binding, with each of its params."""
        occasion, obj, old = subject
        for policy in self._found.current().about(occasion.attributes.resource, self._forms.places):
            constraints = policy.spec.get("matchConstraints") or {}
            form = policy_form(constraints, occasion)
            if form is None or not is_selected(constraints, occasion, obj, old):
                continue
            for binding in policy.bindings:
                matching = spec(binding).get("matchResources") or {}
                is_bound = policy_form(matching, occasion) is not None
                if not is_bound or not is_selected(matching, occasion, obj, old):
                    continue
                try:
                    for params in await self._params(policy, binding, occasion.namespace):
                        yield Use(policy, binding, form, params)
                except ValueError as error:
                    yield Use(policy, binding, form, None, f"failed to configure binding: {error}")

    async def _params(self, policy: Policy, binding: Json, namespace: str) -> Sequence[Json | None]:
        """Return the params of a binding, in the version that its policy names; [None] where it has none."""
        param_kind, reference = policy.spec.get("paramKind"), spec(binding).get("paramRef")
        if param_kind is None or reference is None:
            return [None]
        api_version, kind_name = str(param_kind.get("apiVersion", "")), str(param_kind.get("kind", ""))
        kind = self._catalogue.of_type(api_version, kind_name)
        if kind is None:
            raise ValueError(f"paramKind kind `{api_version}, Kind={kind_name}` not known")
        where = str(reference.get("namespace") or "")
        if where and not kind.namespaced:
            raise ValueError("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
        where = (where or namespace) if kind.namespaced else ""
        if kind.namespaced and not where:
            text = "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
            raise ValueError(text)
        found = await self._find_params(kind, where, reference)
        if not found and reference.get("parameterNotFoundAction") == "Deny":
            raise ValueError("no params found for policy binding with `Deny` parameterNotFoundAction")
        return found

    async def _find_params(self, kind: Kind, namespace: str, reference: Json) -> list[Json]:
        own = kind.stored
        cache = self._feed.cache(own)
        if name := reference.get("name"):
            cached = cache.get(own.place(namespace, name))
            if cached is not None:
                found = [objects.decode(cached.json)]
            else:
                stored = await self._storage.get(own.key(namespace, name))
                read = objects.decode_at
                found = [await aside(0, read, own, stored.value, stored.revision)] if stored else []
        else:
            selector = reference.get("selector") or {}
            listed = [objects.decode(each.json) for each in cache.list(Selected(namespace))]
            found = [each for each in listed if labelselector.matches(selector, labels_of(each))]
        if own is kind:
            return found
        return [await aside(0, objects.in_version, kind, each) for each in found]


def _denial(subject: Subject, message: str, reason: str) -> ApiError:
    occasion, obj = subject.occasion, subject.obj or subject.old
    text = forbidden(occasion.attributes, obj, message).message
    return _refused(subject, text, _CODES.get(reason, 422), reason, [{"message": message}])


def _refused(subject: Subject, text: str, code: int, reason: str, causes: list[Json]) -> Refused:
    attributes, obj = subject.occasion.attributes, subject.obj or subject.old or {}
    details = {
        "name": attributes.name or metadata(obj).get("name", ""),
        "group": attributes.kind.group,
        "kind": attributes.kind.plural,
        "causes": causes,
    }
    return Refused(text, code, reason, details)


def _mutation_problem(use: Use, text: str) -> str:
    name, binding = use.policy.name, use.binding_name
    return f"policy '{name}' with binding '{binding}' denied request: {text}"

"""What becomes of a pod, a template, or a change of a namespace: refused, warned of, noted.

https://kubernetes.io/docs/concepts/security/pod-security-admission/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from apiserver.core.pod_security.policy import (
    MODES,
    PREFIX,
    UNRESTRICTED,
    LevelVersion,
    PodSecuritySettings,
    Policy,
)
from apiserver.core.pod_security.standards import evaluate
from apiserver.core.pod_security.violations import Violation, details, reasons
from apiserver.core.values import Json, metadata, spec
from machinery.model.errors import Cause

MOST_PODS: Final = 3_000
"""How many pods of a namespace are looked at when it asks for more; of the pods of one controller, one is first."""

_COMPARED: Final = ("containers", "initContainers")


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome for one pod or template. Annotations are for the audit log, with their whole names."""

    refusal: str = ""  # "" where the pod is admitted
    warnings: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)


NOTHING_SAID: Final = Decision()
_UNRESTRICTED: Final = Decision(annotations={f"{PREFIX}enforce-policy": str(UNRESTRICTED)})


def exempt(reason: str) -> Decision:
    """Admit what the configuration exempts: by its user, its namespace or its runtimeClass."""
    return Decision(annotations={f"{PREFIX}exempt": reason})


def decide(
    settings: PodSecuritySettings, labels: Mapping[str, str], meta: Json, pod_spec: Json, *, is_pod: bool
) -> Decision:
    """Judge a pod, or the template of pods (it is not refused), by the labels of its namespace."""
    policy, wrong = settings.policy_of(labels)
    if not wrong and policy.is_privileged:
        return _UNRESTRICTED if is_pod else NOTHING_SAID
    if pod_spec.get("runtimeClassName") in settings.exemptions.runtime_classes:
        return exempt("runtimeClass")
    return _judged(policy, wrong, meta, pod_spec, is_pod=is_pod)


def _judged(policy: Policy, wrong: Sequence[Cause], meta: Json, pod_spec: Json, *, is_pod: bool) -> Decision:
    known: dict[LevelVersion, tuple[Violation, ...]] = {}

    def broken(standard: LevelVersion) -> tuple[Violation, ...]:
        if standard not in known:
            known[standard] = evaluate(standard, meta, pod_spec)
        return known[standard]

    annotations = {f"{PREFIX}error": f"Failed to parse policy: {_together(wrong)}"} if wrong else {}
    refusal = ""
    if is_pod:
        annotations[f"{PREFIX}enforce-policy"] = str(policy.enforce)
        if found := broken(policy.enforce):
            refusal = f'violates PodSecurity "{policy.enforce}": {details(found)}'
    if found := broken(policy.audit):
        annotations[f"{PREFIX}audit-violations"] = (
            f'would violate PodSecurity "{policy.audit}": {details(found)}'
        )
    if refusal:
        return Decision(refusal, annotations=annotations)
    found = broken(policy.warn)
    warnings = (f'would violate PodSecurity "{policy.warn}": {details(found)}',) if found else ()
    return Decision(warnings=warnings, annotations=annotations)


def _together(causes: Sequence[Cause]) -> str:
    lines = [f"{cause.field}: {cause.message}" for cause in causes]
    return lines[0] if len(lines) == 1 else f"[{', '.join(lines)}]"


def is_significant(new: Json, old: Json) -> bool:
    """Whether a change of a pod can make it break a rule: an image, a container. Others are admitted unseen."""
    after, before = spec(new), spec(old)
    for name in _COMPARED:
        if [_image(each) for each in after.get(name) or ()] != [
            _image(each) for each in before.get(name) or ()
        ]:
            return True
    debuggers = {each.get("name"): _image(each) for each in before.get("ephemeralContainers") or ()}
    return any(
        debuggers.get(each.get("name")) != _image(each) for each in after.get("ephemeralContainers") or ()
    )


def _image(container: Json) -> str:
    return str(container.get("image", ""))


def asks_for_more(settings: PodSecuritySettings, new: Mapping[str, str], old: Mapping[str, str]) -> bool:
    """Whether labels of a namespace enforce what pods that are there may break."""
    after, before = settings.policy_of(new)[0].enforce, settings.policy_of(old)[0].enforce
    if after == before or not after.level:
        return False
    return after.version != before.version or after.level > before.level


def wrong_labels(
    settings: PodSecuritySettings, new: Mapping[str, str], old: Mapping[str, str] | None
) -> tuple[Cause, ...]:
    """Return what is wrong with the labels of a namespace, where that was not so before."""
    wrong = settings.policy_of(new)[1]
    return () if old is not None and wrong == settings.policy_of(old)[1] else wrong


def warn_of_exemption(settings: PodSecuritySettings, name: str, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return the warning that an exempt namespace gets whose labels ask for something."""
    policy, _ = settings.policy_of(labels)
    if policy.is_privileged or policy == settings.defaults:
        return ()
    standards = zip(MODES, (policy.enforce, policy.audit, policy.warn), strict=True)
    said = [
        f"{mode}={standard}"
        for mode, standard in standards
        if standard.level and not labels.keys().isdisjoint((f"{PREFIX}{mode}", f"{PREFIX}{mode}-version"))
    ]
    text = (
        f'namespace "{name}" is exempt from Pod Security, and the policy ({", ".join(said)}) will be ignored'
    )
    return (text,)


def warn_of_pods(
    settings: PodSecuritySettings, name: str, labels: Mapping[str, str], pods: Iterable[Json]
) -> tuple[str, ...]:
    """Return what a namespace is told that begins to enforce what its pods break: one line for all that break the same."""
    standard = settings.policy_of(labels)[0].enforce
    ordered = _one_of_each_first(settings, pods)
    breaking: dict[str, list[str]] = {}
    for pod in islice(ordered, MOST_PODS):
        if found := evaluate(standard, metadata(pod), spec(pod)):
            breaking.setdefault(reasons(found), []).append(metadata(pod).get("name", ""))
    warnings = []
    if len(ordered) > MOST_PODS:
        counted = f"the first {MOST_PODS} of {len(ordered)} existing pods"
        warnings.append(f"new PodSecurity enforce level only checked against {counted}")
    if breaking:
        warnings.append(
            f'existing pods in namespace "{name}" violate the new PodSecurity enforce level "{standard}"'
        )
    return (*warnings, *sorted(f"{_named(names)}: {text}" for text, names in breaking.items()))


def _one_of_each_first(settings: PodSecuritySettings, pods: Iterable[Json]) -> list[Json]:
    """Return the pods that are not exempt, the first of each controller before the others of it."""
    first: list[Json] = []
    others: list[Json] = []
    seen: set[str] = set()
    for pod in pods:
        if spec(pod).get("runtimeClassName") in settings.exemptions.runtime_classes:
            continue
        owners = metadata(pod).get("ownerReferences") or ()
        uid = next((owner.get("uid", "") for owner in owners if owner.get("controller")), None)
        (others if uid in seen else first).append(pod)
        if uid is not None:
            seen.add(uid)
    return first + others


def _named(names: Sequence[str]) -> str:
    others = len(names) - 1
    if not others:
        return names[0]
    return f"{min(names)} (and {others} other {'pod' if others == 1 else 'pods'})"

"""How many pods there should be: the sum of the scales of everything that controls the pods of a budget.

Those of Kubernetes' own workloads are read from the caches. Anything else, and what the caches do not have, is asked for its
scale subresource.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controllers.core.actions import Documents, Facts, Lookup, Need
from machinery.model.k8s.core_v1 import Pod
from machinery.model.k8s.meta_v1 import OwnerReference
from machinery.model.owners import controller_of
from machinery.model.resources import Resource


class ScaleUnknownError(Exception):
    """The number of expected pods cannot be found out. Its text says why, in Kubernetes' words."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How many pods a controller should have."""

    uid: str
    replicas: int


@dataclass(frozen=True, slots=True)
class Expected:
    """What came out: with `needs`, nothing yet."""

    count: int = 0
    unmanaged: tuple[str, ...] = ()  # names of the pods that nobody controls: they do not count
    needs: tuple[Need, ...] = ()


def expected_pods(
    pods: Iterable[Pod],
    known: Mapping[str, Scale],
    kinds: Mapping[tuple[str, str], Resource[Any]],
    facts: Facts,
) -> Expected:
    """Add up the scales of the controllers of pods.

    `known` has those that the caches show, by the uid of the pod's controller; a ReplicaSet's is that of its
    Deployment. `kinds` are those that there are, by group and kind.

    Raises:
        ScaleUnknownError: one of the controllers is not there, or has no scale.
    """
    unmanaged: list[str] = []
    scales: dict[str, int] = {}
    asked: dict[str, Scale] = {}
    needs: list[Need] = []
    for pod in pods:
        controller = controller_of(pod.metadata)
        if controller is None:
            unmanaged.append(pod.metadata.name)
            continue
        scale = known.get(controller.uid) or asked.get(controller.uid)
        if scale is None:
            questions = _questions(controller, pod.metadata.namespace, kinds)
            if missing := [each for each in questions if not _has_answer(facts, each)]:
                needs += missing
                continue
            scale = asked[controller.uid] = _answered(controller, pod, questions, facts)
        scales[scale.uid] = scale.replicas
    if needs:
        return Expected(needs=tuple(dict.fromkeys(needs)))
    return Expected(sum(scales.values()), tuple(unmanaged))


def _questions(
    controller: OwnerReference, namespace: str, kinds: Mapping[tuple[str, str], Resource[Any]]
) -> tuple[Documents, Lookup]:
    group, slash, _ = controller.apiVersion.partition("/")
    kind = kinds.get((group if slash else "", controller.kind))
    if kind is None:
        text = f'no matches for kind "{controller.kind}" in version "{controller.apiVersion}"'
        raise ScaleUnknownError(text)
    where = namespace if kind.namespaced else ""
    return Documents(kind, where, controller.name, "scale"), Lookup(kind, where, controller.name)


def _has_answer(facts: Facts, need: Need) -> bool:
    return need in facts.documents if isinstance(need, Documents) else need in facts.objects


def _answered(
    controller: OwnerReference, pod: Pod, questions: tuple[Documents, Lookup], facts: Facts
) -> Scale:
    scales, itself = questions
    found: Sequence[Mapping[str, Any]] = facts.documents[scales]
    if found and found[0]["metadata"].get("uid") == controller.uid:
        return Scale(controller.uid, (found[0].get("spec") or {}).get("replicas", 0))
    meta = facts.objects[itself]
    if not found and meta is not None and meta.uid == controller.uid:
        raise ScaleUnknownError(f"{scales.resource} does not implement the scale subresource")
    raise ScaleUnknownError(f'found no controllers for pod "{pod.metadata.name}"')

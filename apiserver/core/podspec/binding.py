"""The binding of a pod to a node, and how long its deletion takes: what the registry asks about pods alone."""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.values import Json, metadata, spec
from machinery.model import names
from machinery.model.errors import Conflict

_LONGEST_GRACE_S: Final = 2**31 - 1  # 68 years: a timestamp can be written for all that is shorter


def bind(pod: Json, binding: Json, now: str) -> Json:
    """Return the pod, bound to the node that a Binding names; the pod is left alone.

    `now` is a metav1.Time. The annotations and labels of the Binding go to the pod, in place of its own. Its
    generation stays: the scheduler, not the user, decided.

    Raises:
        Invalid: the Binding names no node.
        Conflict: the pod is bound already, being deleted, gated, or another one than the Binding means.
    """
    _check_target(binding)
    if problem := _obstacle(pod, metadata(binding)):
        name = metadata(pod).get("name", "")
        raise Conflict(
            f'Operation cannot be fulfilled on pods/binding "{name}": {problem}',
            kind="pods/binding",
            name=name,
        )
    return {
        **pod,
        "metadata": _bound_metadata(metadata(pod), metadata(binding)),
        "spec": {**spec(pod), "nodeName": binding["target"]["name"]},
        "status": _scheduled(pod.get("status") or {}, metadata(pod).get("generation", 0), now),
    }


def _check_target(binding: Json) -> None:
    target = binding.get("target") or {}
    kind, name = target.get("kind", ""), target.get("name", "")
    found = field_errors.one_of("target.kind", kind, {"Node", "<empty>"}) if kind else []
    if name:
        found += field_errors.each_invalid("target.name", name, names.dns_subdomain_errors(name))
    else:
        found.append(field_errors.required("target.name"))
    if found:
        raise field_errors.invalid_object("Binding", metadata(binding).get("name", ""), found)


def _obstacle(pod: Json, wanted: Json) -> str:
    meta, name = metadata(pod), metadata(pod).get("name", "")
    if wanted.get("uid") and wanted["uid"] != meta.get("uid"):
        return (
            f"Precondition failed: UID in precondition: {wanted['uid']}, "
            f"UID in object meta: {meta.get('uid', '')}"
        )
    if meta.get("deletionTimestamp"):
        return f"pod {name} is being deleted, cannot be assigned to a host"
    if node := spec(pod).get("nodeName"):
        return f'pod {name} is already assigned to node "{node}"'
    if spec(pod).get("schedulingGates"):
        return f"pod {name} has non-empty .spec.schedulingGates"
    return ""


def _bound_metadata(meta: Json, given: Json) -> Json:
    result = dict(meta)
    if annotations := given.get("annotations"):
        result["annotations"] = {**(meta.get("annotations") or {}), **annotations}
    if labels := given.get("labels"):
        result["labels"] = {**(meta.get("labels") or {}), **labels}
    return result


def disrupted(pod: Json, now: str) -> Json:
    """Return a pod whose status says that it is being evicted.

    https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
    """
    told = {"reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting"}
    generation = metadata(pod).get("generation", 0)
    return {
        **pod,
        "status": _with_condition(pod.get("status") or {}, "DisruptionTarget", generation, now, told),
    }


def _scheduled(status: Json, generation: int, now: str) -> Json:
    """Return the status of a pod with a node: no node is kept for it any more."""
    status = {name: value for name, value in status.items() if name != "nominatedNodeName"}
    return _with_condition(status, "PodScheduled", generation, now, {})


def _with_condition(status: Json, type_: str, generation: int, now: str, told: Json) -> Json:
    """Set a condition to True."""
    condition: Json = {"type": type_, "status": "True", "lastTransitionTime": now, **told}
    if generation:
        condition["observedGeneration"] = generation
    others = [each for each in status.get("conditions") or [] if each.get("type") != type_]
    return {**status, "conditions": [*others, condition]}


def deletion_grace_s(pod: Json, requested_s: int | None) -> int:
    """Return the seconds that a pod has from now to its end; 0 removes it at once.

    A pod that no node runs, or whose containers have all ended, has nothing to wait for.
    """
    ended = (pod.get("status") or {}).get("phase") in {"Failed", "Succeeded"}
    if not spec(pod).get("nodeName") or ended:
        return 0
    own_s = spec(pod).get("terminationGracePeriodSeconds", 0)
    wanted_s: int = own_s if requested_s is None else requested_s
    return 1 if wanted_s < 0 else min(wanted_s, _LONGEST_GRACE_S)

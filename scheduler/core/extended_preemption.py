"""Extenders that are asked which pods are to go for one of higher priority (`preemptVerb`).

    candidates of DefaultPreemption ─▶ each extender that the pod concerns leaves some, with other victims maybe ─▶ the best of these

What is sent and answered is Kubernetes' (k8s.io/kube-scheduler/extender/v1): whole pods go out, or their uids where the extender has a
cache; uids come back. The shell (scheduler/extenders.py) sends it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from machinery.model.k8s.core_v1 import Pod
from scheduler.core.extending import Extender, ExtenderFailed, fields_of
from scheduler.core.pod import PodInfo
from scheduler.core.preemption import Victims, importance

Offers: TypeAlias = Mapping[str, Victims]
"""Who would have to go from which node, by its name."""

_LEAST: Final = 100  # offers that are sent, as minCandidateNodesAbsolute has it by default
_SHARE: Final = 10  # one of so many nodes, as minCandidateNodesPercentage has it


def cheapest(offers: Offers, nodes: int) -> Offers:
    """Return the offers that are sent to extenders: as many as Kubernetes sends where there are so many nodes, the best ones."""
    most = max(_LEAST, nodes // _SHARE)
    ordered = sorted(offers, key=lambda name: (offers[name].cost, name))
    return {name: offers[name] for name in ordered[:most]}


def ask_to_preempt(extender: Extender, pod: Pod, offers: Offers, whole: Mapping[str, Pod]) -> dict[str, Any]:
    """Return what an extender is sent, as JSON has it; `whole` has the victims by uid, where it has no cache."""
    if extender.has_node_cache:
        return {"Pod": pod, "NodeNameToVictims": None, "NodeNameToMetaVictims": _sent(offers, _uid)}
    return {
        "Pod": pod,
        "NodeNameToVictims": _sent(offers, lambda each: whole.get(each.uid)),
        "NodeNameToMetaVictims": None,
    }


def read_offers(
    extender: Extender, answer: Any, asked: Offers, pods_on: Callable[[str], Mapping[str, PodInfo]]
) -> Offers:
    """Read what an extender makes of offers.

    Raises:
        ExtenderFailed: what it says makes no sense, or has no victims on a node and it cannot be ignored.
    """
    said = fields_of(extender, fields_of(extender, answer).get("nodenametometavictims"), keep_case=True)
    found: dict[str, Victims] = {}
    for name, victims in said.items():
        if name not in asked:
            raise ExtenderFailed(extender.url, f'it names the node "{name}", of which it was not asked')
        fields = fields_of(extender, victims)
        pods = _pods(extender, name, fields.get("pods"), pods_on(name))
        violations = fields.get("numpdbviolations") or 0
        if type(violations) is not int:
            raise ExtenderFailed(
                extender.url, f"it counts {violations!r:.80} violations, where a whole number is wanted"
            )
        if pods:
            found[name] = Victims(tuple(sorted(pods, key=importance)), violations)
        elif not extender.is_ignorable:
            raise ExtenderFailed(extender.url, f'expected at least one victim pod on node "{name}"')
    return found


def _sent(offers: Offers, write: Callable[[PodInfo], Any]) -> dict[str, Any]:
    return {
        name: {
            "Pods": [found for each in victims.pods if (found := write(each)) is not None],
            "NumPDBViolations": victims.violations,
        }
        for name, victims in offers.items()
    }


def _uid(pod: PodInfo) -> dict[str, str]:
    return {"UID": pod.uid}


def _pods(extender: Extender, node: str, said: Any, there: Mapping[str, PodInfo]) -> Sequence[PodInfo]:
    if said is not None and not isinstance(said, list):
        raise ExtenderFailed(extender.url, f"it answered {said!r:.80}, where victims are wanted")
    found: dict[str, PodInfo] = {}
    for each in said or ():
        uid = str(fields_of(extender, each).get("uid", ""))
        if uid not in there:
            text = f'it claims to preempt pod (UID: {uid}) on node "{node}", but the pod is not found on that node'
            raise ExtenderFailed(extender.url, text)
        found[uid] = there[uid]
    return [*found.values()]

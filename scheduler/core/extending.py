"""Extenders: servers that are asked which of the nodes that fit a pod they take, how good those are, and to bind it.

What they are asked of preemption is extended_preemption.py's.

    nodes that fit ─▶ each extender that the pod concerns filters ─▶ each rates what is left ─▶ Extended ─▶ schedule()

What is sent and answered is Kubernetes' (k8s.io/kube-scheduler/extender/v1): JSON by POST, fields with capital initials; those of answers
are read in any case. The shell (scheduler/extenders.py) sends it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from machinery.model.k8s.core_v1 import Node, Pod
from scheduler.core.guarded import PluginFailed
from scheduler.core.needs import Needs
from scheduler.core.normalize import MAX_SCORE
from scheduler.core.pod import PodInfo
from scheduler.core.registry import EXTENDER
from scheduler.core.rejection import Rejection

MOST_PRIORITY: Final = 10  # what an extender says of the best node


class ExtenderFailed(PluginFailed):
    """An extender could not be asked, or answered what makes no sense."""

    def __init__(self, extender: str, problem: str) -> None:
        Exception.__init__(self, f"extender {extender}: {problem}")
        self.plugin = EXTENDER


class TlsFiles(NamedTuple):
    """How an extender is spoken to by TLS: files, or what would be in them."""

    insecure: bool = False
    server_name: str = ""
    cert: str | bytes = ""
    key: str | bytes = ""
    ca: str | bytes = ""


@dataclass(frozen=True, slots=True)
class Extender:
    """An extender, by its part of a configuration file."""

    url: str
    filter_verb: str = ""
    prioritize_verb: str = ""
    bind_verb: str = ""
    preempt_verb: str = ""
    weight: int = 1
    within_s: float = 5.0  # wall seconds for one answer
    has_node_cache: bool = False  # it is told the names of nodes, not the whole of them
    is_ignorable: bool = False  # pods are scheduled without it while it fails
    resources: frozenset[str] = (
        frozenset()
    )  # it is asked about pods that request one of these; about all, where there are none
    tls: TlsFiles | None = None

    def concerns(self, needs: Needs) -> bool:
        """Whether it is asked about pods of a template."""
        return not self.resources or any(name in self.resources for name, _ in needs.extended)

    def url_of(self, verb: str) -> str:
        """Return where one of its verbs is."""
        return f"{self.url.rstrip('/')}/{verb}"


class Filtered(NamedTuple):
    """What an extender says of nodes."""

    nodes: tuple[str, ...]
    rejected: Mapping[str, Rejection]


@dataclass(frozen=True, slots=True)
class Extended:
    """What all extenders say of the nodes of which they were asked for a pod."""

    taken: frozenset[str]
    rejected: Mapping[str, Rejection] = field(default_factory=dict)
    points: Mapping[str, int] = field(default_factory=dict)  # that are added to the nodes' own

    def verdict(self, node: str) -> Rejection | None:
        """Return why a node that fits cannot take the pod, None where it can."""
        return None if node in self.taken else self.rejected.get(node, NOT_ASKED)


NOT_ASKED: Final = Rejection(EXTENDER, ("node(s) fitted after extenders had been asked",), resolvable=False)


def ask_about_nodes(extender: Extender, pod: Pod, nodes: Sequence[Node]) -> dict[str, Any]:
    """Return what an extender is sent to filter or to rate nodes, as JSON has it."""
    names = [each.metadata.name for each in nodes]
    items = None if extender.has_node_cache else {"metadata": {}, "items": list(nodes)}
    return {"Pod": pod, "Nodes": items, "NodeNames": names if extender.has_node_cache else None}


def ask_to_bind(pod: PodInfo, node: str) -> dict[str, Any]:
    """Return what an extender is sent to bind a pod."""
    return {"PodName": pod.name, "PodNamespace": pod.namespace, "PodUID": pod.uid, "Node": node}


def read_filtered(extender: Extender, answer: Any, asked: Sequence[str]) -> Filtered:
    """Read which nodes an extender takes of those of which it was asked.

    Raises:
        ExtenderFailed: it says so, or what it says makes no sense.
    """
    said = fields_of(extender, answer)
    if said.get("error"):
        raise ExtenderFailed(extender.url, str(said["error"]))
    names = _names(extender, said)
    known = set(asked)
    for each in names:
        if each not in known:
            text = f'it takes the node "{each}", of which it was not asked'
            raise ExtenderFailed(extender.url, text)
    rejected: dict[str, Rejection] = {}
    for field_, resolvable in (("failednodes", True), ("failedandunresolvablenodes", False)):
        for node, why in _reasons(extender, said.get(field_)).items():
            rejected[node] = Rejection(EXTENDER, (why,), resolvable)
    left_out = Rejection(
        EXTENDER, (f"node(s) were left out by the extender {extender.url}",), resolvable=True
    )
    taken = tuple(each for each in asked if each in set(names))
    return Filtered(taken, {each: rejected.get(each, left_out) for each in asked if each not in set(names)})


def read_priorities(extender: Extender, answer: Any) -> dict[str, int]:
    """Read how good nodes are, as points to be added to theirs.

    Raises:
        ExtenderFailed: what it says makes no sense.
    """
    if not isinstance(answer, list):
        raise ExtenderFailed(
            extender.url, f"it answered {answer!r:.80}, where a list of hosts with scores is wanted"
        )
    points: dict[str, int] = {}
    for each in answer:
        said = fields_of(extender, each)
        host, score = said.get("host"), said.get("score", 0)
        if not isinstance(host, str) or type(score) is not int:
            raise ExtenderFailed(
                extender.url, f"it rates {each!r:.80}, where a host and a whole number are wanted"
            )
        points[host] = points.get(host, 0) + score * extender.weight * (MAX_SCORE // MOST_PRIORITY)
    return points


def check_bound(extender: Extender, answer: Any) -> None:
    """Read whether an extender has bound a pod.

    Raises:
        ExtenderFailed: it has not.
    """
    if problem := fields_of(extender, answer).get("error"):
        raise ExtenderFailed(extender.url, str(problem))


def fields_of(extender: Extender, answer: Any, *, keep_case: bool = False) -> dict[str, Any]:
    """Return the fields of an object by their names in small letters, or as they are; "null" is one without fields.

    Raises:
        ExtenderFailed: it is no object.
    """
    if answer is None:
        return {}
    if not isinstance(answer, dict):
        raise ExtenderFailed(extender.url, f"it answered {answer!r:.80}, where an object is wanted")
    return {str(name) if keep_case else str(name).lower(): value for name, value in answer.items()}


def _names(extender: Extender, said: Mapping[str, Any]) -> list[str]:
    names = said.get("nodenames") if extender.has_node_cache else None
    if names is None:
        nodes = said.get("nodes")
        items = fields_of(extender, nodes).get("items") or []
        try:
            names = [each["metadata"]["name"] for each in items]
        except (TypeError, KeyError) as error:
            raise ExtenderFailed(extender.url, "it answered nodes without names") from error
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise ExtenderFailed(extender.url, f"it answered {names!r:.80}, where names of nodes are wanted")
    return names


def _reasons(extender: Extender, said: Any) -> dict[str, str]:
    if said is None:
        return {}
    if not isinstance(said, dict):
        raise ExtenderFailed(extender.url, f"it answered {said!r:.80}, where reasons by node are wanted")
    return {str(node): str(why) for node, why in said.items()}

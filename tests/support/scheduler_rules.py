"""For tables of rules: one plugin of the scheduler, asked about every node for one pod, by the engine that decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import yaml

from machinery.model.k8s.core_v1 import Node, Pod
from scheduler.core.evaluations import Evaluations
from scheduler.core.framework import Plugin
from scheduler.core.profile import profile_of
from scheduler.core.rejection import Stopped
from scheduler.core.snapshot import Snapshot
from tests.support.builders import node
from tests.support.scheduler import Decider


@dataclass(frozen=True)
class Said:
    """What a plugin says: the nodes that fit, in the order of their scores, and why the others do not; or why none is looked at."""

    scores: Mapping[str, int] = field(default_factory=dict)  # with a weight of 1
    why: Mapping[str, str] = field(default_factory=dict)
    stopped: str = ""

    @property
    def fits(self) -> str:
        """The names of the nodes that fit."""
        return " ".join(sorted(self.scores))

    @property
    def order(self) -> str:
        """The nodes by their scores, the best first; those with equal ones joined by "="."""
        points = sorted({*self.scores.values()}, reverse=True)
        return " ".join(
            "=".join(sorted(name for name, score in self.scores.items() if score == each)) for each in points
        )


def ask(
    plugin: Plugin,
    asked: Pod,
    nodes: Iterable[Node],
    running: Iterable[Pod] = (),
    prepare: Callable[[Snapshot], None] = lambda _snapshot: None,
) -> Said:
    """Ask a plugin alone about a pod."""
    world = Decider(*nodes)
    prepare(world.snapshot)
    world.run(*running)
    profile = profile_of("rule", (plugin,))
    alone = replace(profile, weights=dict.fromkeys(profile.weights, 1))
    world.evaluations = Evaluations(world.snapshot, alone)
    found = world.evaluations.of(world.reader.read(asked))
    if isinstance(found, Stopped):
        return Said(stopped=found.message)
    why = {
        each.name: ", ".join(rejection.reasons)
        for each in world.snapshot.existing_nodes()
        if (rejection := found.rejection_of(each.index)) is not None
    }
    return Said(world.scores(asked), why)


def spec(text: str, name: str = "web", namespace: str = "default", **labels: str) -> Pod:
    """Return a pod by its spec in YAML, with one container where it says nothing of containers; keywords are its labels."""
    fields: dict[str, Any] = yaml.safe_load(text) or {} if text else {}
    fields.setdefault("containers", [{"name": "main", "image": "app:1"}])
    meta = {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-{name}",
        "resourceVersion": "1",
        "labels": labels,
    }
    return msgspec.convert({"metadata": meta, "spec": fields}, Pod)


def requesting(limits: bool = False, **amounts: str) -> Pod:
    """Return a pod with a container that requests something; `_` stands for what a keyword cannot have."""
    named = {name.replace("__", "/").replace("_", "."): amount for name, amount in amounts.items()}
    kind = {"requests": named, **({"limits": named} if limits else {})}
    return spec(f"containers: [{{name: main, image: 'app:1', resources: {kind}}}]")


def nodes_of(**labels: Mapping[str, str] | None) -> list[Node]:
    """Return nodes by their names, each with its labels."""
    return [node(name, labels=each or {}) for name, each in labels.items()]

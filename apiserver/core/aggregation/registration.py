"""Which APIServices there have to be for what this server serves itself, and what is done for each.

Kubernetes has two manners, which stand in a label: those of built-in versions are looked after once, when an apiserver
starts, so that somebody may send a built-in version elsewhere for a while; those of custom resources always. One without
the label is somebody else's, and stays as it is, whatever it says. So has that of the metrics none, which is only there as long
as nobody installs a server for them: it is made where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from apiserver.core.aggregation.priorities import CUSTOM, Priority
from apiserver.core.values import Json, metadata

AUTOMANAGED: Final = "kube-aggregator.kubernetes.io/automanaged"
ON_START: Final = "onstart"
ALWAYS: Final = "true"


@dataclass(frozen=True, slots=True)
class Create:
    """An APIService that has to be created."""

    obj: Json


@dataclass(frozen=True, slots=True)
class Replace:
    """An APIService whose spec has to be this one again."""

    obj: Json


@dataclass(frozen=True, slots=True)
class Remove:
    """An APIService that has to go, since what it is about is not served any more."""

    name: str
    uid: str


Action: TypeAlias = Create | Replace | Remove


def name_of(group: str, version: str) -> str:
    """Return the name of the APIService of a version of a group."""
    return f"{version}.{group}"


def local(group: str, version: str, priority: Priority = CUSTOM, manner: str = ALWAYS) -> Json:
    """Return the APIService of a version that this server serves itself; without a manner nobody looks after it."""
    own: Json = {
        "version": version,
        "groupPriorityMinimum": priority.group,
        "versionPriority": priority.version,
    }
    if group:
        own["group"] = group
    labels = {"labels": {AUTOMANAGED: manner}} if manner else {}
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": name_of(group, version), **labels},
        "spec": own,
    }


def decide(wanted: Json | None, existing: Json | None, *, was_there: bool, is_done: bool) -> Action | None:
    """Return what is done for an APIService; None: nothing.

    `was_there` says whether it was there when this apiserver started, `is_done` whether it was looked after since.
    """
    if wanted is not None and _manner(wanted) == ON_START and is_done:
        return None
    if existing is None:
        return Create(wanted) if wanted is not None else None
    manner = _manner(existing)
    if not manner or (manner == ON_START and (is_done or not was_there)):
        return None
    meta = metadata(existing)
    if wanted is None:
        return Remove(meta["name"], meta["uid"])
    if existing.get("spec") == wanted["spec"]:
        return None
    return Replace({**existing, "spec": wanted["spec"]})


def _manner(obj: Json) -> str:
    return str((metadata(obj).get("labels") or {}).get(AUTOMANAGED, ""))

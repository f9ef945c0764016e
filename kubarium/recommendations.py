"""`kubarium recommend`: looks at what pods use for a while, and keeps it in a file."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kubarium.core.layout import Layout
from kubarium.core.recommending import Notes, Seen, read_notes
from kubarium.core.spec import ClusterSpec
from kubarium.errors import KubariumError
from kubarium.waiting import connect
from machinery.client.api import Api
from machinery.model.clock import Timescale
from machinery.model.errors import ApiError
from machinery.model.k8s.core_v1 import Pod
from machinery.model.owners import controller_of
from machinery.model.quantity import parse
from machinery.model.requests import Selection
from machinery.model.resource_metrics import PODS as USED
from machinery.model.resource_metrics import WINDOW_S, PodMetrics
from machinery.model.resources import PODS, REPLICA_SETS
from machinery.process.clock import SystemClock

_PATIENCE_S: Final = 30.0  # wall seconds for one answer


def observe(spec: ClusterSpec, layout: Layout[Path], notes: Notes, *, namespace: str, for_s: float) -> None:
    """Look at what pods use, as often as there is news, for so many wall seconds; once where that is 0.

    Raises:
        KubariumError: the apiserver does not answer.
    """
    try:
        asyncio.run(_observe(spec, layout, notes, namespace, for_s))
    except (TimeoutError, OSError, ApiError) as error:
        raise KubariumError(f'cluster "{spec.name}" does not say what its pods use: {error}') from error


async def _observe(
    spec: ClusterSpec, layout: Layout[Path], notes: Notes, namespace: str, for_s: float
) -> None:
    clock = SystemClock(spec.time_scale)
    api = connect(spec, layout)
    until_s = clock.monotonic_wall() + for_s
    try:
        while True:
            await _look(api, notes, namespace, clock.timescale)
            if clock.monotonic_wall() + clock.timescale.wall(WINDOW_S) > until_s:
                return
            await clock.sleep(WINDOW_S)
    finally:
        await api.aclose()


async def _look(api: Api, notes: Notes, namespace: str, timescale: Timescale) -> None:
    """Count what all pods of a namespace ("": of all) use now."""
    selection = Selection(namespace=namespace)
    used = (await api.list(USED, selection, timeout_s=_PATIENCE_S)).items
    pods = {_place(pod): pod for pod in (await api.list(PODS, selection)).items}
    owners = {
        _place(each): controller_of(each.metadata) for each in (await api.list(REPLICA_SETS, selection)).items
    }
    for each in used:
        pod = pods.get(_place(each))
        if pod is not None:
            workload = _workload(pod, owners)
            notes.containers[workload] = len(pod.spec.containers)
            _count(notes, workload, pod, each, timescale)


def _count(
    notes: Notes, workload: tuple[str, str, str], pod: Pod, used: PodMetrics, timescale: Timescale
) -> None:
    requested = {
        each.name: each.resources.requests.get("cpu", "0") if each.resources else "0"
        for each in pod.spec.containers
    }
    for container in used.containers:
        if container.name in requested and used.timestamp:
            seen = notes.seen.setdefault((*workload, container.name), Seen())
            seen.sample(
                pod.metadata.uid,
                timescale.parse(used.timestamp),
                float(parse(container.usage.get("cpu", "0"))),
                float(parse(container.usage.get("memory", "0"))),
                float(parse(requested[container.name])),
            )


def _place(obj: Any) -> tuple[str, str]:
    return obj.metadata.namespace, obj.metadata.name


def _workload(pod: Pod, owners: Mapping[tuple[str, str], Any]) -> tuple[str, str, str]:
    """Return what a pod belongs to: of a ReplicaSet the Deployment above it; itself where nobody controls it."""
    namespace, owner = pod.metadata.namespace, controller_of(pod.metadata)
    if owner is None:
        return namespace, "Pod", pod.metadata.name
    above = owners.get((namespace, owner.name)) if owner.kind == "ReplicaSet" else None
    found = above or owner
    return namespace, found.kind, found.name


def read_state(path: str) -> Notes:
    """Read what was seen before; nothing where there is no such file, or none is named ("").

    Raises:
        KubariumError: it cannot be read, or holds something else.
    """
    if not path:
        return Notes()
    try:
        return read_notes(json.loads(Path(path).read_text()))
    except FileNotFoundError:
        return Notes()
    except (OSError, ValueError) as error:
        raise KubariumError(f"{path} cannot be read: {error}") from error


def write_state(path: str, notes: Notes) -> None:
    """Write down what was seen; what was there stays whole until the new file is.

    Raises:
        KubariumError: it cannot be written.
    """
    new = Path(f"{path}.new")
    try:
        new.write_text(json.dumps(notes.to_json()))
        new.replace(path)
    except OSError as error:
        raise KubariumError(f"{path} cannot be written: {error}") from error

"""Jobs, their pods, and those who run and end them, for tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from controllers.core.batch import NEW_JOBS, TRACKING, Job, JobSpec, JobStatus, NewJob
from controllers.job.pods import INDEX
from machinery.model.k8s.core_v1 import Pod
from machinery.model.k8s.meta_v1 import LabelSelector, ObjectMeta
from machinery.model.resources import PODS
from tests.support import builders
from tests.support.controller_crashes import CrashWorld
from tests.support.controllers import CREATED, owner

LABELS = {"job": "work"}


def job(name: str = "work", *, status: Mapping[str, Any] | None = None, **fields: Any) -> Job:
    """Return the Job default/NAME as the server keeps it; fields of its metadata by `metadata`."""
    metadata = {"generation": 1, "creationTimestamp": CREATED, **fields.pop("metadata", {})}
    restarts = fields.pop("restartPolicy", "Never")
    template = {
        "metadata": {"labels": LABELS},
        "spec": {"restartPolicy": restarts, "containers": [{"name": "main", "image": "app:1"}]},
    }
    known = {"completions": 1, "template": template, "selector": LabelSelector(matchLabels=LABELS), **fields}
    spec = msgspec.convert(msgspec.to_builtins(known), JobSpec)
    return Job(
        metadata=builders.meta(name, "default", **metadata),
        spec=spec,
        status=msgspec.convert(dict(status or {}), JobStatus),
    )


def started(name: str = "work", *, status: Mapping[str, Any] | None = None, **fields: Any) -> Job:
    """Return a Job that has begun at 00:30."""
    return job(name, status={"startTime": "2026-01-01T00:30:00Z", **(status or {})}, **fields)


def pod_of(
    job_: Job,
    name: str,
    phase: str = "Running",
    *,
    index: int | None = None,
    tracked: bool = True,
    **fields: Any,
) -> Pod:
    """Return a pod of a Job."""
    meta = fields.pop("meta_fields", {})
    annotations = {**({} if index is None else {INDEX: str(index)}), **meta.pop("annotations", {})}
    meta_fields = {
        "annotations": annotations,
        "creationTimestamp": CREATED,
        "finalizers": [TRACKING] if tracked else [],
        **meta,
    }
    known = {"labels": LABELS, "owners": [owner(job_)], "node": "node-1", **fields}
    return builders.pod(name, "default", phase=phase, meta_fields=meta_fields, **known)


async def make(world: CrashWorld, **fields: Any) -> None:
    """Be the user who creates the Job default/work."""
    spec = msgspec.to_builtins(job(**fields).spec)
    spec.pop("selector")  # the server's own
    metadata = ObjectMeta(name="work", namespace="default")
    await world.server.given(NEW_JOBS, NewJob(metadata=metadata, spec=spec))


async def end_pods(world: CrashWorld, phase_of: Callable[[Pod], str] = lambda _pod: "Succeeded") -> int:
    """Be the kubelets: end every pod that has not ended; return how many had not."""
    ended = 0
    for pod in (await world.user.list(PODS)).items:
        if pod.status.phase in {"Succeeded", "Failed"}:
            continue
        ended += 1
        phase = phase_of(pod)
        code = 0 if phase == "Succeeded" else 1
        now = world.clock.timescale.format(world.clock.now())
        state = {"terminated": {"exitCode": code, "finishedAt": now}}
        container = {
            "name": "main",
            "image": "app:1",
            "imageID": "",
            "ready": False,
            "restartCount": 0,
            "state": state,
        }
        patch = {"status": {"phase": phase, "containerStatuses": [container]}}
        await world.user.patch(PODS, pod.metadata.name, patch, namespace="default", subresource="status")
    return ended


async def run_until_quiet(
    world: CrashWorld, phase_of: Callable[[Pod], str] = lambda _pod: "Succeeded"
) -> None:
    """Run pods until no new ones come, also after the longest wait."""
    for _ in range(40):
        await world.settle(5.0)
        ended = await end_pods(world, phase_of)
        gone = await world.cluster.end_pods()
        if not ended and not gone:
            await world.settle(700.0)
            if not await end_pods(world, phase_of):
                return
    raise AssertionError("the Job does not come to rest")

"""Carries out the actions of pods' lives. No decisions: each action is one way through the tools."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from kubelet.container_resizer import ContainerResizer
from kubelet.container_starter import ContainerStarter
from kubelet.container_stopper import ContainerStopper
from kubelet.core.actions import (
    Action,
    ActionKey,
    CleanUp,
    KillContainer,
    RemoveContainer,
    RemoveSandbox,
    ResizeContainer,
    ResizePod,
    RunSandbox,
    StartContainer,
    StopSandbox,
    key_of,
)
from kubelet.core.instructions import Problem
from kubelet.core.termination import Deadline
from kubelet.devices import DeviceProblem
from kubelet.log_rotation import remove_log
from kubelet.relist import Relist
from kubelet.runtime import Runtime
from kubelet.sandboxes import Sandboxes
from machinery.client.events import WARNING, EventRecorder
from machinery.model.errors import ApiError
from machinery.model.k8s.core_v1 import Pod
from machinery.model.log import EventLog


@dataclass(frozen=True, slots=True)
class PodExecutor:
    """Runs actions. When one is over, `relist` has seen what the runtime has of the pod since."""

    runtime: Runtime
    relist: Relist
    sandboxes: Sandboxes
    starter: ContainerStarter
    stopper: ContainerStopper
    resizer: ContainerResizer
    events: EventRecorder
    log: EventLog

    async def perform(self, pod: Pod, action: Action) -> Problem | None:
        """Carry out an action; return what went wrong, None where nothing did."""
        match action:
            case StartContainer():
                return await self._start(pod, action)
            case RunSandbox(attempt):
                return await self.sandboxes.run(pod, attempt)
            case KillContainer():
                return await self._kill(pod, action)
            case ResizeContainer():
                return await self.resizer.resize(pod, action)
            case ResizePod():
                await self.resizer.cgroups.ensure_pod(pod)
                return None
            case StopSandbox() | RemoveContainer() | RemoveSandbox() | CleanUp():
                return await self._tidy(pod, action)
            case _:
                assert_never(action)

    def shorten(self, key: ActionKey, deadline: Deadline) -> None:
        """Shorten the grace period of a kill that is under way."""
        self.stopper.shorten(key, deadline)

    async def refresh(self, pod_uid: str) -> None:
        """Look up what the runtime has of a pod, after an action was given up."""
        await self.relist.refresh(pod_uid)

    async def _start(self, pod: Pod, action: StartContainer) -> Problem | None:
        """Start a container; one that runs again may have other resources than before, and its pod with it."""
        if action.start.after is None:
            return await self.starter.start(pod, action)
        await self.resizer.cgroups.grow_pod(pod)
        problem = await self.starter.start(pod, action)
        if problem is None:
            await self.resizer.settle(pod)
        return problem

    async def _kill(self, pod: Pod, action: KillContainer) -> Problem | None:
        problem: Problem | None = None
        try:
            await self.stopper.stop(pod, action)
        except ApiError as error:
            self.log.warning("container_not_stopped", container=action.kill.id, error=error)
            self.events.record(pod, WARNING, "FailedKillPod", f"error killing pod: {error.message}")
            problem = Problem("KillContainerError", error.message)
            await self.relist.refresh(pod.metadata.uid)
        else:
            await self.relist.note_end(pod.metadata.uid, action.kill.id)
        return problem

    async def _tidy(
        self, pod: Pod, action: StopSandbox | RemoveContainer | RemoveSandbox | CleanUp
    ) -> Problem | None:
        try:
            await self._tidy_once(pod, action)
        except (ApiError, DeviceProblem, OSError) as error:
            self.log.warning("not_tidied", pod=pod.metadata.name, action=key_of(action), error=error)
            return Problem("KillPodSandboxError", str(error))
        return None

    async def _tidy_once(
        self, pod: Pod, action: StopSandbox | RemoveContainer | RemoveSandbox | CleanUp
    ) -> None:
        uid = pod.metadata.uid
        match action:
            case StopSandbox(id_):
                await self.runtime.stop_sandbox(id_)
                await self.relist.note_stopped_sandbox(uid, id_)
            case RemoveContainer(id_, log_path):
                await self.runtime.remove_container(id_)
                self.relist.note_removed_container(uid, id_)
                if log_path:
                    remove_log(Path(log_path))
            case RemoveSandbox(id_):
                await self.runtime.remove_sandbox(id_)
                self.relist.note_removed_sandbox(uid, id_)
            case CleanUp():
                await self.sandboxes.clean_up(uid)

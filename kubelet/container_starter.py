"""Starts containers: image, environment, mounts, create, start, postStart.

Everything before `create` can be given up at any time; create and start are brought to their end. A container that
is made already (a kubelet died before it could start it) is only started.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import partial

from kubelet.container_stopper import ContainerStopper
from kubelet.core import labels
from kubelet.core.actions import KillContainer, StartContainer
from kubelet.core.containers import find, target_of
from kubelet.core.cri_config import container_config
from kubelet.core.environment import TooLargeError
from kubelet.core.instructions import Problem
from kubelet.core.node_status import Machine
from kubelet.core.pod_actions import Kill
from kubelet.core.references import container_reference
from kubelet.core.security import needs_image_user, security_problem
from kubelet.core.termination import Deadline, probe_grace_s
from kubelet.devices import DeviceClaims, DeviceProblem
from kubelet.environment import ConfigProblem, Environment
from kubelet.finishing import finish
from kubelet.hooks import HookProblem, Hooks
from kubelet.images import ImageProblem, Images
from kubelet.pod_files import PodFiles
from kubelet.relist import Relist
from kubelet.runtime import Runtime
from kubelet.sandboxes import Sandboxes
from kubelet.turns import Turns
from kubelet.volumes import VolumeProblem, Volumes
from machinery.client.events import NORMAL, WARNING, EventRecorder
from machinery.model.clock import Clock
from machinery.model.errors import ApiError
from machinery.model.k8s.core_v1 import Container, Pod
from machinery.model.log import EventLog
from machinery.pb import cri_pb2 as cri

_CONFIG_ERROR = "CreateContainerConfigError"
_FEW_MOUNTS = 32  # of a container, which are found while the other pods wait
_FIRST_LOOK_S = 5.0  # so soon after a failed pull its backoff is shown


class StartProblem(Exception):  # noqa: N818 - what a waiting container shows
    """A container could not be started now."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.reason}: {problem.message}")
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Providers:
    """Where the parts of a container come from."""

    images: Images
    environment: Environment
    volumes: Volumes
    sandboxes: Sandboxes
    files: PodFiles
    machine: Machine
    device_claims: DeviceClaims
    enforces_cpu: bool = False  # whether the node's cpu is bounded by a cgroup


@dataclass(frozen=True, slots=True)
class ContainerStarter:
    """Starts the containers of the node's pods."""

    runtime: Runtime
    relist: Relist
    providers: Providers
    hooks: Hooks
    stopper: ContainerStopper
    events: EventRecorder
    clock: Clock
    log: EventLog
    _: KW_ONLY
    is_draining: Callable[[], bool]
    turns: Turns = field(default_factory=Turns)

    async def start(self, pod: Pod, action: StartContainer) -> Problem | None:
        """Start a container; the runtime's picture is up to date afterwards."""
        container = find(pod, action.start.name)
        if container is None:
            return Problem(_CONFIG_ERROR, f"the pod has no container {action.start.name!r}")
        try:
            container_id = action.start.resume_id or await self._create(pod, container, action)
            await self._start(pod, container, container_id, action)
            await self._post_start(pod, container, container_id, action)
        except StartProblem as failure:
            return failure.problem
        return None

    async def _create(self, pod: Pod, container: Container, action: StartContainer) -> str:
        sandbox = self.providers.sandboxes.config(pod, action.sandbox_attempt)
        image_ref = await self._image(pod, container, sandbox)
        images = await self._volume_images(pod, container, sandbox)
        async with self.turns.taken(pod.metadata.uid):
            config = await self._config(pod, container, action, image_ref, images)
            create = self.runtime.create_container(action.sandbox_id, config, sandbox)
            try:
                container_id = await finish(create, self.is_draining)
            except ApiError as error:
                self._tell(pod, container, WARNING, "Failed", f"Error: {error.message}")
                raise StartProblem(Problem("CreateContainerError", error.message)) from error
        self._tell(pod, container, NORMAL, "Created", "Container created")
        return container_id

    async def _image(self, pod: Pod, container: Container, sandbox: cri.PodSandboxConfig) -> str:
        try:
            return await self.providers.images.ensure(pod, container, sandbox)
        except ImageProblem as problem:
            raise _unstarted(problem) from problem

    async def _volume_images(
        self, pod: Pod, container: Container, sandbox: cri.PodSandboxConfig
    ) -> dict[str, str]:
        """Return the references of the images that a container mounts, by the names of the volumes."""
        mounted, found = {mount.name for mount in container.volumeMounts}, {}
        for volume in pod.spec.volumes:
            if volume.image is None or volume.name not in mounted:
                continue
            try:
                found[volume.name] = await self.providers.images.ensure_volume(
                    pod, volume.name, volume.image, sandbox
                )
            except ImageProblem as problem:
                self._tell(pod, container, WARNING, "Failed", f"Error: {problem.message}")
                raise _unstarted(problem) from problem
        return found

    async def _config(
        self,
        pod: Pod,
        container: Container,
        action: StartContainer,
        image_ref: str,
        images: Mapping[str, str],
    ) -> cri.ContainerConfig:
        """Gather what a container is made of."""
        try:
            return await self._gathered(pod, container, action, image_ref, images)
        except (ConfigProblem, DeviceProblem, VolumeProblem, TooLargeError) as problem:
            self._tell(pod, container, WARNING, "Failed", f"Error: {problem}")
            raise StartProblem(Problem(_CONFIG_ERROR, str(problem))) from problem

    async def _gathered(
        self,
        pod: Pod,
        container: Container,
        action: StartContainer,
        image_ref: str,
        images: Mapping[str, str],
    ) -> cri.ContainerConfig:
        attempt, ips = action.start.attempt, action.ips
        image = await self._image_user(pod, container, image_ref)
        target_id = self._target_id(pod, target) if (target := target_of(pod, container.name)) else ""
        volumes = await self.providers.sandboxes.mount(pod)
        strings = await self.providers.environment.make(pod, container, ips[0] if ips else "", ips, volumes)
        await self.providers.device_claims.prepare(
            pod
        )  # a restart may have lost what the sandbox was made with
        make = partial(self.providers.volumes.mounts, pod, container, volumes, strings.variables, images)
        mounts = await asyncio.to_thread(make) if len(container.volumeMounts) > _FEW_MOUNTS else make()
        files = self.providers.files
        own = (files.hosts_mount(pod, container, ips), files.termination_log(pod, container, attempt))
        machine = self.providers.machine
        return container_config(
            pod,
            container,
            image_ref=image_ref,
            strings=strings,
            devices=self.providers.volumes.devices(pod, container, volumes),
            cdi_devices=self.providers.device_claims.cdi_ids(pod, container),
            mounts=[*mounts, *(mount for mount in own if mount is not None)],
            attempt=attempt,
            labels=labels.container_labels(pod, container),
            annotations=labels.container_annotations(pod, container, restart_count=attempt),
            log_path=files.log_path(pod, container.name, attempt),
            node_memory_bytes=machine.memory_bytes,
            node_cpu_millicores=machine.cpu_millicores if self.providers.enforces_cpu else 0,
            image=image,
            target_id=target_id,
        )

    def _target_id(self, pod: Pod, target: str) -> str:
        """Return the id of the container that an ephemeral one aims at; without it there is nothing to see."""
        run = self.relist.observed(pod.metadata.uid).newest(target)
        if run is None or not run.is_running:
            raise ConfigProblem(f"unable to find target container {target}: it does not run")
        return run.id

    async def _image_user(self, pod: Pod, container: Container, image_ref: str) -> cri.Image | None:
        """Look at the image where its user matters; refuse a container that would run as root where it must not."""
        if not needs_image_user(pod, container):
            return None
        try:
            image = await self.runtime.image_status(image_ref)
        except ApiError as error:
            raise ConfigProblem(f"the image's user cannot be read: {error.message}") from error
        if text := security_problem(pod, container, image):
            raise ConfigProblem(text)
        return image

    async def _start(self, pod: Pod, container: Container, container_id: str, action: StartContainer) -> None:
        try:
            await finish(self.runtime.start_container(container_id), self.is_draining)
        except ApiError as error:
            self._tell(pod, container, WARNING, "Failed", f"Error: {error.message}")
            await self.relist.refresh(pod.metadata.uid)
            problem = Problem("RunContainerError", error.message, unstarted_id=container_id)
            raise StartProblem(problem) from error
        self._tell(pod, container, NORMAL, "Started", "Container started")
        await self.relist.note_container(pod.metadata.uid, container_id, action.sandbox_id)

    async def _post_start(
        self, pod: Pod, container: Container, container_id: str, action: StartContainer
    ) -> None:
        """Run the postStart hook; a container whose hook fails is killed."""
        handler = container.lifecycle.postStart if container.lifecycle else None
        if handler is None:
            return
        pod_ip = action.ips[0] if action.ips else ""
        try:
            await self.hooks.run(handler, container_id=container_id, ports=container.ports, pod_ip=pod_ip)
        except HookProblem as problem:
            self.log.info(
                "post_start_failed", pod=pod.metadata.name, container=container.name, problem=problem
            )
            self._tell(pod, container, WARNING, "FailedPostStartHook", "PostStartHook failed")
            await self._kill(pod, container, container_id, pod_ip)
            raise StartProblem(Problem("PostStartHookError", str(problem))) from problem

    async def _kill(self, pod: Pod, container: Container, container_id: str, pod_ip: str) -> None:
        grace_s = probe_grace_s(pod, None)
        kill = Kill(container_id, container.name, "FailedPostStartHook", grace_s)
        pre_stop = container.lifecycle.preStop if container.lifecycle else None
        deadline = Deadline(self.clock.now(), grace_s)
        try:
            await self.stopper.stop(
                pod, KillContainer(kill, deadline, pre_stop, tuple(container.ports), pod_ip)
            )
        except ApiError as error:
            self.log.warning("container_not_killed", container=container_id, error=error)
        await self.relist.refresh(pod.metadata.uid)

    def _tell(self, pod: Pod, container: Container, type_: str, reason: str, message: str) -> None:
        self.events.record(container_reference(pod, container.name), type_, reason, message)


def _unstarted(problem: ImageProblem) -> StartProblem:
    wait_s = problem.retry_after_s or None
    if problem.reason == "ErrImagePull":
        wait_s = min(problem.retry_after_s or _FIRST_LOOK_S, _FIRST_LOOK_S)
    return StartProblem(Problem(problem.reason, problem.message, wait_s))

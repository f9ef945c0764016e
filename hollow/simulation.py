"""The simulated machine: the one place where sandboxes and containers change.

Every change is written to the state folder before the caller hears of it, then announced to the subscribers.
Between two awaits nothing else runs, so the methods without `await` are atomic.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TextIO, TypeVar

import msgspec

from hollow.core.addresses import allocate
from hollow.core.lifetime import State
from hollow.index import Index
from hollow.records import Container, ContainerRecord, NodeRecord, RecordFile, Sandbox, SandboxRecord
from hollow.views import image_id, log_path, view_container_status, view_sandbox_status, wall_ns, with_tag
from machinery.model.clock import Clock
from machinery.model.errors import BadRequest, Conflict, NotFound, Unavailable
from machinery.pb import cri_pb2 as cri
from machinery.wire.fan_out import FanOut

T = TypeVar("T")

POD_UID: Final = "io.kubernetes.pod.uid"  # the label by which kubelets choose what belongs to a pod


class Simulation:
    """Sandboxes, containers and images of one hollow node."""

    def __init__(self, clock: Clock, tasks: asyncio.TaskGroup, state_dir: str) -> None:
        self.clock = clock
        self._tasks = tasks
        self.subscribers = FanOut()  # they get ContainerEventResponse
        self.sandboxes: dict[str, Sandbox] = {}
        self.containers: dict[str, Container] = {}
        self._kept_sandboxes = RecordFile(state_dir, "sandboxes", lambda: _records(self.sandboxes))
        self._kept_containers = RecordFile(state_dir, "containers", lambda: _records(self.containers))
        self._kept_node = RecordFile(state_dir, "node", lambda: {"node": self.node})
        self.node = next(iter(self._kept_node.load(NodeRecord)), NodeRecord())
        self._of_pod: Index[Sandbox] = Index()  # by the uid in their metadata
        self._of_sandbox: Index[Container] = Index()
        self.labelled_sandboxes: Index[Sandbox] = Index()  # by the pod's uid in their labels
        self.labelled_containers: Index[Container] = Index()
        for record in self._kept_sandboxes.load(SandboxRecord):
            self._know_sandbox(Sandbox(record))
        for known in self._kept_containers.load(ContainerRecord):
            container = self._know_container(Container(known))
            container.end_announced = container.state(clock.now()) is State.EXITED
            self._expect_end(container)

    # --- the node

    def configure(self, **changes: Any) -> None:
        """Change what the runtime was told."""
        self.node = msgspec.structs.replace(self.node, **changes)
        self._kept_node.save("node", self.node)

    def boot(self, boot_id: str) -> None:
        """Note on which boot of its machine the node runs: on another one than before nothing runs any more."""
        if boot_id != self.node.boot_id:
            if self.node.boot_id:
                for sandbox in self.sandboxes.values():
                    self.stop_sandbox(sandbox)
            self.configure(boot_id=boot_id)

    def image(self, wanted: str) -> str:
        """Return the pulled image that a name, with or without its tag, or an id stands for; "" if none."""
        name = with_tag(wanted)
        if name in self.node.images:
            return name
        return next((known for known in self.node.images if image_id(known) == wanted), "")

    # --- sandboxes

    def sandbox(self, sandbox_id: str) -> Sandbox:
        """Return a sandbox by its id or an unambiguous beginning of it.

        Raises:
            NotFound: there is none.
        """
        return _find("pod sandbox", self.sandboxes, sandbox_id)

    def run_sandbox(self, config: Any, runtime_handler: str) -> Sandbox:
        """Make a sandbox; the same metadata once more gives the same sandbox.

        Raises:
            BadRequest: its metadata is not whole.
            Unavailable: there is no address for it.
        """
        if not config.metadata.uid or not config.metadata.name:
            raise BadRequest("the sandbox's metadata has to have a name and a uid")
        for sandbox in self._of_pod.of(config.metadata.uid):
            if sandbox.is_ready and sandbox.config.metadata == config.metadata:
                return sandbox
        record = SandboxRecord(
            secrets.token_hex(32),
            config.SerializeToString(),
            runtime_handler,
            self.clock.now(),
            *self._addresses(config),
        )
        sandbox = self._know_sandbox(Sandbox(record))
        self._kept_sandboxes.save(record.id, record)
        self._announce(record.id, cri.CONTAINER_CREATED_EVENT, sandbox)
        self._announce(record.id, cri.CONTAINER_STARTED_EVENT, sandbox)
        return sandbox

    def _addresses(self, config: Any) -> tuple[str, tuple[str, ...]]:
        """Return a sandbox's address, and those of other families."""
        if config.linux.security_context.namespace_options.network == cri.NODE:
            return "", ()
        if not self.node.pod_cidr:
            raise Unavailable("the network is not ready: UpdateRuntimeConfig has not given a pod range yet")
        first, *more = map(self._address, self.node.pod_cidr.split(","))
        return first, tuple(more)

    def _address(self, pod_cidr: str) -> str:
        records = [sandbox.record for sandbox in self.sandboxes.values() if sandbox.is_ready]
        taken = {address for record in records for address in (record.ip, *record.more_ips)}
        if (address := allocate(pod_cidr, taken)) is None:
            raise Unavailable(f"no address of {pod_cidr} is free")
        return address

    def stop_sandbox(self, sandbox: Sandbox) -> None:
        """Kill what runs in a sandbox and give its address back. Idempotent."""
        for container in self.containers_of(sandbox):
            self.stop(container, 0)
        if sandbox.is_ready:
            sandbox.record = msgspec.structs.replace(sandbox.record, stopped_s=self.clock.now())
            self._kept_sandboxes.save(sandbox.id, sandbox.record)
            self._announce(sandbox.id, cri.CONTAINER_STOPPED_EVENT, sandbox)

    def remove_sandbox(self, sandbox: Sandbox) -> None:
        """Forget a sandbox and its containers."""
        self.stop_sandbox(sandbox)
        for container in self.containers_of(sandbox):
            self.remove(container)
        del self.sandboxes[sandbox.id]
        self._of_pod.drop(sandbox.config.metadata.uid, sandbox.id)
        self.labelled_sandboxes.drop(pod_label(sandbox), sandbox.id)
        self._kept_sandboxes.remove(sandbox.id)
        self._announce(sandbox.id, cri.CONTAINER_DELETED_EVENT, sandbox)

    # --- containers

    def container(self, container_id: str) -> Container:
        """Return a container by its id or an unambiguous beginning of it.

        Raises:
            NotFound: there is none.
        """
        return _find("container", self.containers, container_id)

    def containers_of(self, sandbox: Sandbox) -> list[Container]:
        """List the containers of a sandbox."""
        return self._of_sandbox.of(sandbox.id)

    def create(self, sandbox: Sandbox, config: Any) -> Container:
        """Make a container; the same name and attempt once more gives the same container.

        Raises:
            Conflict: the sandbox is not ready.
            NotFound: the image is not here.
            BadRequest: an annotation of its behaviour cannot be read.
        """
        if not sandbox.is_ready:
            raise Conflict(f"pod sandbox {sandbox.id} is not ready")
        if not self.image(config.image.image):
            raise NotFound(f"no such image: {config.image.image}")
        for container in self.containers_of(sandbox):
            if container.config.metadata == config.metadata:
                return container
        record = ContainerRecord(
            id=secrets.token_hex(32),
            sandbox_id=sandbox.id,
            config=config.SerializeToString(),
            annotations=dict(sandbox.config.annotations),
            created_s=self.clock.now(),
        )
        try:
            container = Container(record)
        except ValueError as error:
            raise BadRequest(str(error)) from error
        self._know_container(container)
        self._kept_containers.save(record.id, record)
        self._announce(record.id, cri.CONTAINER_CREATED_EVENT, sandbox)
        return container

    def start(self, container: Container) -> None:
        """Start a container; one that runs already is left alone.

        Raises:
            Conflict: it has exited.
            BadRequest: it cannot be started, as its annotation says.
        """
        match container.state(self.clock.now()):
            case State.RUNNING:
                return
            case State.EXITED:
                raise Conflict(f"container {container.id} has exited and cannot be started again")
        self._update(container, started_s=self.clock.now())
        if container.behaviour.start_error:
            raise BadRequest(f"failed to start container {container.id}: {container.behaviour.start_error}")
        self._log(container, f"hollow container {container.config.metadata.name} started; nothing runs in it")
        self._announce(container.id, cri.CONTAINER_STARTED_EVENT, self._sandbox_of(container))

    def stop(self, container: Container, grace_s: float) -> None:
        """Send SIGTERM now and SIGKILL after a grace period; without grace SIGKILL now. Idempotent."""
        now_s = self.clock.now()
        if container.state(now_s) is not State.RUNNING:
            return
        kill_s = min(now_s + grace_s, container.record.kill_s or float("inf"))
        term_s = container.record.term_s if container.record.term_s is not None or grace_s <= 0 else now_s
        self._update(container, term_s=term_s, kill_s=kill_s)

    async def ended(self, container: Container) -> None:
        """Wait until a container that is being stopped does not run any more."""
        while container.state(self.clock.now()) is State.RUNNING and container.id in self.containers:
            end = container.end
            await self.clock.sleep(min(end.at_s - self.clock.now(), 0.5) if end else 0.5)

    def remove(self, container: Container) -> None:
        """Forget a container, running or not."""
        self.stop(container, 0)
        self._notice_end(container)
        del self.containers[container.id]
        self._of_sandbox.drop(container.record.sandbox_id, container.id)
        self.labelled_containers.drop(pod_label(container), container.id)
        self._kept_containers.remove(container.id)
        self._announce(container.id, cri.CONTAINER_DELETED_EVENT, self._sandbox_of(container))

    def reconfigure(self, container: Container, config: Any) -> None:
        """Change a container's configuration (its resources)."""
        container.config.CopyFrom(config)
        self._update(container, config=config.SerializeToString())

    def reopen_log(self, container: Container) -> None:
        """Make a container's log file if it is not there."""
        self._append(container, "")

    # --- events

    def status_of(self, container: Container) -> Any:
        """Write the status of a container."""
        sandbox = self._sandbox_of(container)
        directory = sandbox.config.log_directory if sandbox else ""
        return view_container_status(container, directory, self.clock.timescale, self.clock.now())

    def _announce(self, about: str, kind: Any, sandbox: Sandbox | None) -> None:
        if sandbox is None or not self.subscribers:
            return
        event = cri.ContainerEventResponse(
            container_id=about,
            container_event_type=kind,
            created_at=wall_ns(self.clock.timescale, self.clock.now()),
            pod_sandbox_status=view_sandbox_status(sandbox, self.clock.timescale),
            containers_statuses=[self.status_of(container) for container in self.containers_of(sandbox)],
        )
        self.subscribers.publish(event)

    # --- within

    def _know_sandbox(self, sandbox: Sandbox) -> Sandbox:
        self.sandboxes[sandbox.id] = sandbox
        self._of_pod.put(sandbox.config.metadata.uid, sandbox.id, sandbox)
        self.labelled_sandboxes.put(pod_label(sandbox), sandbox.id, sandbox)
        return sandbox

    def _know_container(self, container: Container) -> Container:
        self.containers[container.id] = container
        self._of_sandbox.put(container.record.sandbox_id, container.id, container)
        self.labelled_containers.put(pod_label(container), container.id, container)
        return container

    def _sandbox_of(self, container: Container) -> Sandbox | None:
        return self.sandboxes.get(container.record.sandbox_id)

    def _update(self, container: Container, **changes: Any) -> None:
        container.record = msgspec.structs.replace(container.record, **changes)
        self._kept_containers.save(container.id, container.record)
        self._expect_end(container)

    def _expect_end(self, container: Container) -> None:
        if container.end and not container.end_announced:
            self._tasks.create_task(self._watch_end(container))

    async def _watch_end(self, container: Container) -> None:
        end = container.end
        while end and end.at_s > self.clock.now() and container.id in self.containers:
            await self.clock.sleep(end.at_s - self.clock.now())
        self._notice_end(container)

    def _notice_end(self, container: Container) -> None:
        if container.end_announced or container.state(self.clock.now()) is not State.EXITED:
            return
        container.end_announced = True
        self._announce(container.id, cri.CONTAINER_STOPPED_EVENT, self._sandbox_of(container))

    def _log(self, container: Container, text: str) -> None:
        stamp = self.clock.timescale.format_micro(self.clock.now())
        self._append(container, f"{stamp} stdout F {text}\n")

    def _append(self, container: Container, lines: str) -> None:
        sandbox = self._sandbox_of(container)
        path = log_path(sandbox.config.log_directory, container.config.log_path) if sandbox else ""
        if path:
            with _opened(Path(path)) as log:
                log.write(lines)


def _opened(path: Path) -> TextIO:
    """Open a log at its end; its folder is there already, unless somebody has removed it."""
    try:
        return path.open("a", encoding="utf-8")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a", encoding="utf-8")


def pod_label(item: Sandbox | Container) -> str:
    """Return the uid of the pod that an item is labelled as, "" for one without that label."""
    return str(item.config.labels.get(POD_UID, ""))


def _records(items: Mapping[str, Sandbox | Container]) -> dict[str, Any]:
    return {id_: item.record for id_, item in items.items()}


def _find(what: str, table: dict[str, T], beginning: str) -> T:
    if exact := table.get(beginning):
        return exact
    matches = [item for key, item in table.items() if beginning and key.startswith(beginning)]
    if len(matches) == 1:
        return matches[0]
    raise NotFound(f"{what} {beginning!r} {'is ambiguous' if matches else 'is not there'}")

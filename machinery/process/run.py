"""How every component process runs: one TaskGroup, one clock, one log, one way to stop.

    def main(argv: Sequence[str] | None = None) -> int:
        return run("scheduler", SchedulerConfig, serve, argv)

- SIGTERM and SIGINT cancel `serve`, which drains in its `finally` blocks while the process's other tasks still
  run; then these are cancelled; exit code 0. Whoever drains longer than 10 s is cut short with exit code 1.
- SIGHUP reads the fault plan again.
- An exception in `serve` or in any task ends the process with exit code 1 and one logged error.
- `--memory-limit` bounds the memory of the process; what asks for more has a MemoryError.

Nothing here, nor in what it imports, makes a thread, a channel or a loop at import: components are forked from a
process that has imported everything.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict
from typing import Any, Final, TypeVar

from machinery.client.api import Api
from machinery.client.tls import ClientTls, RenewableTls
from machinery.model.seam import Seam, compose
from machinery.process.clock import WALL, SystemClock
from machinery.process.config import ComponentConfig, parse
from machinery.process.control import Control, Pages, served, z_doors
from machinery.process.faults import PlannedFaults
from machinery.process.health import Health
from machinery.process.logging import Log, capture_libraries, describe
from machinery.process.memory import limit_memory
from machinery.process.metrics import Metrics
from machinery.process.recorder import Recorder
from machinery.process.z_pages import ZPages

C = TypeVar("C", bound=ComponentConfig)

DRAIN_LIMIT_S: Final = 10.0  # wall seconds
_LOOK_S: Final = 0.5  # wall seconds between two looks at the loop's punctuality
_LATE_S: Final = 0.02
_PATHS: Final = ("/faults", "/livez", "/metrics", "/readyz")
_NAMES: Final = {
    "apiserver": "kube-apiserver",
    "controllers": "kube-controller-manager",
    "proxy": "kube-proxy",
    "scheduler": "kube-scheduler",
}
"""What Kubernetes calls the programs that it has, too."""


class Stopped(Exception):  # noqa: N818 - no error: how the TaskGroup is told to end
    """The component has drained."""


class Process:
    """What a component gets from the process that it runs in."""

    def __init__(self, component: str, config: ComponentConfig, log: Log, tasks: asyncio.TaskGroup) -> None:
        self.name = config.name or component
        self.config = config
        self.log = log
        self.tasks = tasks
        self.clock = SystemClock(config.time_scale)
        self.metrics = Metrics()
        began = self.metrics.gauge("process_start_time_seconds", "When the process began, since the epoch")
        began.set(self.clock.wall_ns() // 1_000_000 / 1000)
        self.health = Health(self.metrics)
        self.faults = PlannedFaults(self.clock, config.faults_file, log)
        self.recorder = Recorder(self.clock, config.record_messages) if config.record_messages else None
        self.seam = self._seam()
        self.pages: dict[str, Pages] = {}  # what the component itself answers on the control socket, by path

    def connect(self, tls: RenewableTls | None = None) -> Api:
        """Open the door to the apiserver with the configured transport and identity; the caller closes it.

        `tls` is another identity than the configured one.
        """
        config = self.config
        if config.transport == "rest":
            from machinery.client.rest_transport import Token, connect_rest

            token = Token(config.token_file, config.ca_file, server_name=config.tls_server_name)
            credentials = tls or (token if config.token_file else self.identity())
            return connect_rest(
                config.server, credentials, caller=self.name, seam=self.seam, clock=self.clock, log=self.log
            )
        shown = tls or self.identity()
        from machinery.client.grpc_transport import connect_grpc

        return connect_grpc(
            config.server, shown, caller=self.name, seam=self.seam, clock=self.clock, log=self.log
        )

    def identity(self) -> ClientTls | None:
        """Return whom the process trusts and as whom it comes, as it was configured; None where that is without TLS."""
        config = self.config
        identity = (config.ca_file, config.cert_file, config.key_file, config.tls_server_name)
        return ClientTls(*identity) if config.ca_file else None

    def _seam(self) -> Seam | None:
        """Return what every conversation of the process asks; None where no plan can come, and nobody records."""
        seams: list[Seam] = [self.recorder] if self.recorder else []
        if self.config.faults_file or self.config.health_socket:
            seams.append(self.faults)
        return compose(*seams)

    def ready(self) -> None:
        """Report, once, that the component does its work, to /readyz and to the supervisor."""
        if self.health.is_ready:
            return
        self.health.is_ready = True
        self.log.info("ready", pid=os.getpid())
        notify(self.config.notify_socket, "READY=1", self.log)


def run(
    component: str,
    config_class: type[C],
    serve: Callable[[C, Process], Coroutine[Any, Any, None]],
    argv: Sequence[str] | None,
) -> int:
    """Read the command line and run `serve(config, process)` to its end; return the exit code."""
    config = parse(config_class, argv)
    limit_memory(config.memory_limit)
    import uvloop

    log = Log(config.name or component, config.log_level)
    capture_libraries(log)
    gc.freeze()  # what is imported stays; the collector need not look at it again
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_main(component, config, serve, log))


def notify(socket_path: str, state: str, log: Log) -> None:
    """Send the supervisor a datagram, in the manner of sd_notify(3); without a socket, do nothing."""
    if not socket_path:
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.sendto(state.encode(), socket_path)
    except OSError as error:
        log.warning("notify_failed", socket=socket_path, error=error)


async def _main(
    component: str, config: C, serve: Callable[[C, Process], Coroutine[Any, Any, None]], log: Log
) -> int:
    try:
        async with asyncio.TaskGroup() as tasks:
            process = Process(component, config, log, tasks)
            process.faults.load()
            tasks.create_task(_watch_loop(process), name="loop-watch")
            name = _NAMES.get(component, component)
            process.pages |= z_doors(ZPages(name, process.clock, asdict(config), _PATHS))
            async with served(
                Control(process.health, process.faults, process.clock, process.recorder, process.pages),
                config.health_socket,
            ):
                await _serve(process, serve(config, process))
            raise Stopped
    except BaseExceptionGroup as group:
        return _exit_code(group, log, config.memory_limit)


async def _serve(process: Process, serving: Coroutine[Any, Any, None]) -> None:
    """Run the component until it ends, fails, or is told to stop by a signal."""
    work = asyncio.ensure_future(serving)
    stopping = asyncio.Event()
    _install_signals(process, work, stopping)
    try:
        await asyncio.wait([work])
    except asyncio.CancelledError:  # another task has failed: drain all the same
        _begin_drain(process.log)
        work.cancel()
        await asyncio.wait([work])
        if not work.cancelled() and (error := work.exception()):
            process.log.warning("drain_failed", error=error)
        raise
    if work.cancelled() and stopping.is_set():
        return
    if work.cancelled():
        raise RuntimeError("the component cancelled itself")
    work.result()


def _install_signals(process: Process, work: asyncio.Future[None], stopping: asyncio.Event) -> None:
    def stop(name: str) -> None:
        if stopping.is_set():
            return
        stopping.set()
        process.log.info("stopping", signal=name)
        _begin_drain(process.log)
        work.cancel()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop, "SIGTERM")
    loop.add_signal_handler(signal.SIGINT, stop, "SIGINT")
    loop.add_signal_handler(signal.SIGHUP, process.faults.load)


def _begin_drain(log: Log) -> None:
    def give_up() -> None:
        log.error("drain_timed_out", limit_s=DRAIN_LIMIT_S)
        sys.stderr.flush()
        os._exit(1)

    WALL.call_later_wall(DRAIN_LIMIT_S, give_up)


async def _watch_loop(process: Process) -> None:
    """Measure how late the loop wakes us: the time that it was kept busy, or that the process was stopped."""
    stalls = process.metrics.counter(
        "event_loop_stall_seconds_total", "Wall time that the event loop was late"
    )
    worst = process.metrics.gauge("event_loop_stall_seconds_max", "Longest stall of the event loop")
    while True:
        begun = process.clock.monotonic_wall()
        await process.clock.sleep_wall(_LOOK_S)
        late_s = process.clock.monotonic_wall() - begun - _LOOK_S
        if late_s > _LATE_S:
            stalls.add(late_s)
            worst.set(max(worst.value(), late_s))


def _exit_code(group: BaseExceptionGroup[BaseException], log: Log, memory_limit: str) -> int:
    """Return 0 where all that happened is that the component stopped; log what else it was, once."""
    failures = [error for error in _leaves(group) if not isinstance(error, Stopped)]
    if not failures:
        log.info("stopped")
        return 0
    others = [f"{type(error).__name__}: {error}" for error in failures[1:]]
    keys = {"also": "; ".join(others)} if others else {}
    if isinstance(failures[0], MemoryError):
        keys["memory_limit"] = memory_limit or "the machine's"
    log.error("crashed", **describe(failures[0]), **keys)
    return 1


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]

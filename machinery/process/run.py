"""The life of a process: configuration, loop, signals, drain.

SIGTERM and SIGINT cancel the component's `serve`, which drains in its `finally` blocks within `DRAIN_S` wall
seconds; a second signal, or the limit, ends the process at once. A crash in any task ends the process with exit
code 1 and one logged error: whoever started it decides whether it comes back.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from machinery.client.api import Api
from machinery.client.tls import ClientTls
from machinery.model.clock import Clock
from machinery.process.clock import SystemClock
from machinery.process.config import ComponentConfig, parse
from machinery.process.faults import PlannedFaults
from machinery.process.health import Health, serving
from machinery.process.logging import Log, capture_libraries, describe
from machinery.process.metrics import Metrics

DRAIN_S: Final = 10.0  # wall seconds

C = TypeVar("C", bound=ComponentConfig)


class Process:
    """What a component gets from the process that it runs in."""

    def __init__(self, component: str, config: ComponentConfig) -> None:
        self.name = config.name or component
        self.config = config
        self.clock: Clock = SystemClock(config.time_scale)
        self.log = Log(self.name, config.log_level)
        self.metrics = Metrics()
        self.health = Health()
        self.faults = PlannedFaults(config.faults_file, self.log)
        self.faults.load()
        self.tasks: asyncio.TaskGroup = asyncio.TaskGroup()

    def connect(self) -> Api:
        """Connect to the apiserver as this component, by the transport of its configuration."""
        config = self.config
        tls = ClientTls(config.ca_file, config.cert_file, config.key_file) if config.ca_file else None
        if config.transport == "rest":
            from machinery.client.rest_transport import connect_rest

            return connect_rest(config.server, tls, caller=self.name)
        from machinery.client.grpc_transport import connect_grpc

        return connect_grpc(config.server, tls, caller=self.name, faults=self.faults)

    def ready(self) -> None:
        """Say that the component serves: /readyz turns well, and the notify socket hears READY=1."""
        self.health.ready = True
        if not self.config.notify_socket:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            try:
                notify.sendto(b"READY=1", self.config.notify_socket)
            except OSError as error:
                self.log.warning("notify_failed", socket=self.config.notify_socket, error=error)


Serve = Callable[[C, Process], Awaitable[None]]


def run(component: str, config_class: type[C], serve: Serve[C], argv: Sequence[str] | None) -> int:
    """Run a component until it is told to stop; return the process's exit code."""
    config = parse(config_class, argv)
    process = Process(component, config)
    capture_libraries(process.log)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(_main(config, process, serve))
        except asyncio.CancelledError:
            return 0
        except Exception as error:  # noqa: BLE001 - the last frame: whatever it is, it ends the process
            process.log.error("process_failed", **describe(_only(error)))
            return 1
    return 0


def _only(error: BaseException) -> BaseException:
    """Unwrap groups of one."""
    inner: BaseException = error
    while isinstance(inner, BaseExceptionGroup) and len(inner.exceptions) == 1:
        inner = inner.exceptions[0]
    return inner


async def _main(config: C, process: Process, serve: Serve[C]) -> None:
    main = asyncio.current_task()
    assert main is not None  # noqa: S101 - a coroutine that runs is in a task
    _handle_signals(main, process)
    process.log.info("process_started", pid=os.getpid())
    async with serving(config.health_socket, process.health, process.metrics):
        try:
            async with process.tasks:
                await serve(config, process)
                for task in list(getattr(process.tasks, "_tasks", ())):
                    task.cancel()
        finally:
            process.health.ready = False
            process.log.info("process_stopped")


def _handle_signals(main: asyncio.Task[None], process: Process) -> None:
    loop = asyncio.get_running_loop()
    stopping = False

    def stop(number: signal.Signals) -> None:
        nonlocal stopping
        if stopping:
            os._exit(128 + number)
        stopping = True
        process.log.info("process_stopping", signal=number.name)
        loop.call_later(DRAIN_S, os._exit, 128 + number)
        main.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    with contextlib.suppress(ValueError):
        loop.add_signal_handler(signal.SIGHUP, process.faults.load)

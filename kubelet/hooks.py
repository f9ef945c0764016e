"""Runs lifecycle hooks: postStart and preStop.

https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/
A hook is run at least once; it may be cancelled at any time, and an exec hook's process ends then. An HTTP hook has done its work when somebody answers: unlike a probe, it asks nothing of the status.
"""

from __future__ import annotations

from collections.abc import Sequence

from kubelet.containment import fault_text
from kubelet.runtime import Runtime
from machinery.model.clock import Clock
from machinery.model.errors import ApiError
from machinery.model.k8s.core_v1 import ContainerPort, HTTPGetAction, LifecycleHandler

_LONGEST_S = 3600.0  # wall seconds: of a hook without any other limit


class HookProblem(Exception):  # noqa: N818 - what a hook's event says
    """A hook did not do its work; the text says why."""


class Hooks:
    """Runs the hooks of the node's containers."""

    def __init__(self, runtime: Runtime, clock: Clock) -> None:
        self._runtime = runtime
        self._clock = clock

    async def run(
        self,
        handler: LifecycleHandler,
        *,
        container_id: str,
        ports: Sequence[ContainerPort],
        pod_ip: str,
        limit_s: float | None = None,
    ) -> None:
        """Run a hook to its end, at most `limit_s` cluster seconds.

        Raises:
            HookProblem: it failed, or was not over in time.
        """
        try:
            await self._run(handler, container_id, ports, pod_ip, limit_s)
        except (HookProblem, ApiError):
            raise
        except Exception as error:  # whatever it is: a container is stopped without its hook
            raise HookProblem(f"lifecycle hook failed: {fault_text(error)}") from error

    async def _run(
        self,
        handler: LifecycleHandler,
        container_id: str,
        ports: Sequence[ContainerPort],
        pod_ip: str,
        limit_s: float | None,
    ) -> None:
        wall_s = _LONGEST_S if limit_s is None else self._clock.timescale.wall(limit_s)
        if handler.exec:
            await self._exec(container_id, handler.exec.command, wall_s)
        elif handler.httpGet:
            await self._http(handler.httpGet, ports, pod_ip, wall_s)
        elif handler.sleep:
            await self._clock.sleep(float(handler.sleep.seconds))
        else:
            raise HookProblem("the handler names nothing that can be run (tcpSocket is none for hooks)")

    async def _exec(self, container_id: str, command: Sequence[str], wall_s: float) -> None:
        try:
            answer = await self._runtime.exec_sync(container_id, command, wall_s)
        except ApiError as error:
            raise HookProblem(f"Exec lifecycle hook ({list(command)}) failed: {error.message}") from error
        if answer.exit_code != 0:
            output = (answer.stdout + answer.stderr)[:1024].decode(errors="replace")
            raise HookProblem(f"command {list(command)} exited with {answer.exit_code}: {output}")

    async def _http(
        self, action: HTTPGetAction, ports: Sequence[ContainerPort], pod_ip: str, wall_s: float
    ) -> None:
        from kubelet.http_probe import HttpProblem, http_get

        headers = [(header.name, header.value) for header in action.httpHeaders]
        port = _port(action.port, ports)
        try:
            await http_get(
                action.host or pod_ip, port, action.path or "/", headers, action.scheme or "HTTP", wall_s
            )
        except HttpProblem as problem:
            raise HookProblem(f"HTTP lifecycle hook failed: {problem}") from problem


def _port(port: int | str, ports: Sequence[ContainerPort]) -> int:
    if isinstance(port, int) or port.isdecimal():
        return int(port)
    number = next((each.containerPort for each in ports if each.name == port), None)
    if number is None:
        raise HookProblem(f"the container has no port named {port!r}")
    return number

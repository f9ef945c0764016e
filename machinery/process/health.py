"""/livez, /readyz and /metrics of a process, over HTTP on a unix socket with mode 0600."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from machinery.process.metrics import Metrics


class Health:
    """What a process says of itself. It is live while its loop answers, and ready when it says so."""

    def __init__(self) -> None:
        self.ready = False
        self._checks: dict[str, Callable[[], str]] = {}

    def add(self, name: str, check: Callable[[], str]) -> None:
        """Add a readiness check: "" is well, anything else says what is not."""
        self._checks[name] = check

    def problems(self) -> dict[str, str]:
        """Name the checks that fail, and why."""
        found = {name: text for name, check in self._checks.items() if (text := check())}
        return found if self.ready else {"started": "not yet", **found}


@asynccontextmanager
async def serving(path: str, health: Health, metrics: Metrics) -> AsyncIterator[None]:
    """Serve on a unix socket while inside; with an empty path, do nothing."""
    if not path:
        yield
        return
    from aiohttp import web

    async def livez(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        problems = health.problems()
        text = "".join(f"{name}: {text}\n" for name, text in problems.items()) or "ok\n"
        return web.Response(text=text, status=503 if problems else 200)

    async def show_metrics(_: web.Request) -> web.Response:
        return web.Response(text=metrics.text())

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", show_metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    socket = Path(path)
    socket.unlink(missing_ok=True)
    try:
        await web.UnixSite(runner, path).start()
        socket.chmod(0o600)
        yield
    finally:
        await runner.cleanup()
        socket.unlink(missing_ok=True)

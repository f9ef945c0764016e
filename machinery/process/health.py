"""What a process says of itself at /livez (/healthz), /readyz and /metrics; `machinery.process.control` serves it.

Alive is a process that answers. Ready it is once the component has said so and while every check passes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from machinery.process.metrics import Metrics


class Health:
    """What a process says about itself."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._checks: dict[str, Callable[[], str]] = {}
        self.is_ready = False

    def add_check(self, name: str, check: Callable[[], str]) -> None:
        """Add a condition of readiness: `check()` returns "" when all is well, else what is wrong."""
        self._checks[name] = check

    def checks(self) -> Mapping[str, Callable[[], str]]:
        """Return the conditions by their names."""
        return self._checks

    def problems(self) -> list[str]:
        """Return what keeps the process from being ready."""
        found = [] if self.is_ready else ["starting"]
        return found + [f"{name}: {text}" for name, check in self._checks.items() if (text := check())]

    def answer(self, path: str) -> tuple[int, str]:
        """Return the HTTP status and body for a path."""
        match path:
            case "/livez" | "/healthz":
                return 200, "ok"
            case "/readyz":
                problems = self.problems()
                return (503, "\n".join(problems)) if problems else (200, "ok")
            case "/metrics":
                return 200, self._metrics.render()
            case _:
                return 404, "there are /livez, /readyz and /metrics"

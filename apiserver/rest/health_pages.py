"""/livez, /readyz and /healthz: the whole, check by check, and one check alone.

https://kubernetes.io/docs/reference/using-api/health-checks/
    /readyz            "ok", or every check, and 500
    /readyz?verbose    every check; ?exclude=etcd leaves one out
    /readyz/etcd       one check, with what is wrong
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from apiserver.rest.http_request import HttpRequest
from apiserver.rest.replies import Reply, text_reply
from apiserver.rest.services import RestServices
from machinery.process.metrics import described, sample

_PING: Final = "ping"
_STARTED: Final = "poststarthook/rbac/bootstrap-roles"
_SHUTDOWN: Final = "shutdown"
ROOTS: Final = frozenset({"healthz", "livez", "readyz"})
Check = Callable[[], str]  # "" where all is well, else what is wrong


class HealthPages:
    """Answers how the apiserver is."""

    def __init__(self, services: RestServices) -> None:
        self._services = services
        self._outcomes: Counter[tuple[str, str, str]] = Counter()  # by name, outcome and root

    def answer(self, http: HttpRequest, root: str, check: str) -> Reply | None:
        """Answer one of `ROOTS`, or a check of it; None where there is no such check."""
        checks = self._checks(root)
        if check:
            return _one(checks[check]) if check in checks else None
        return _all(http, root, checks)

    def metrics(self) -> str:
        """Return the outcome of every check as metrics (/metrics/slis), and how often each came out how."""
        name, total = "kubernetes_healthcheck", "kubernetes_healthchecks_total"
        lines = [*described(name, "Whether a check passes", "gauge")]
        for root in sorted(ROOTS):
            for check, run in self._checks(root).items():
                lines.append(sample(name, ("name", "type"), (check, root), not run()))
        lines += described(total, "Checks that were made, by how they came out", "counter")
        for labels, count in sorted(self._outcomes.items()):
            lines.append(sample(total, ("name", "status", "type"), labels, count))
        return "\n".join((*lines, ""))

    def _checks(self, root: str) -> dict[str, Check]:
        services = self._services
        checks = {_PING: lambda: "", **services.health.checks(), _STARTED: self._started}
        if root == "readyz":
            checks[_SHUTDOWN] = self._going_on
        return {name: self._counted(name, root, check) for name, check in checks.items()}

    def _counted(self, name: str, root: str, check: Check) -> Check:
        """Return a check that notes how it came out."""

        def run() -> str:
            problem = check()
            self._outcomes[name, "error" if problem else "success", root] += 1
            return problem

        return run

    def _started(self) -> str:
        return "" if self._services.registry.is_open else "not finished"

    def _going_on(self) -> str:
        services = self._services
        is_ending = services.registry.is_open and not services.health.is_ready
        return "process is shutting down" if is_ending else ""


def _one(check: Check) -> Reply:
    problem = check()
    if problem:
        return text_reply(f"internal server error: {problem}\n", status=500)
    return text_reply("ok")


def _all(http: HttpRequest, root: str, checks: dict[str, Check]) -> Reply:
    excluded = {name for text in http.query.getall("exclude", []) for name in text.split(",") if name}
    failed, lines = False, []
    for name, check in checks.items():
        if name in excluded:
            lines.append(f"[+]{name} excluded: ok")
        elif check():  # what is wrong is told to those who may ask for this check
            failed = True
            lines.append(f"[-]{name} failed: reason withheld")
        else:
            lines.append(f"[+]{name} ok")
    if unknown := sorted(excluded - checks.keys()):
        names = ",".join(f'"{name}"' for name in unknown)
        lines.append(f"warn: some health checks cannot be excluded: no matches for {names}")
    if failed:
        return text_reply("\n".join((*lines, f"{root} check failed", "")), status=500)
    if "verbose" not in http.query:
        return text_reply("ok")
    return text_reply("\n".join((*lines, f"{root} check passed", "")))

"""The real, unmodified kubectl, as a test drives it."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

TOOLS = Path(__file__).resolve().parents[2] / ".tools" / "bin"


def find_kubectl() -> str | None:
    """Find kubectl: the one that `make setup` brought, which is as new as the API that is served, else the one on the PATH."""
    return shutil.which("kubectl", path=str(TOOLS)) or shutil.which("kubectl")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl against one cluster and, unless a call says otherwise, one namespace."""

    kubeconfig: Path
    namespace: str = "default"
    program: str = ""

    def run(self, *arguments: str, stdin: str = "", timeout_s: float = 200) -> Outcome:
        """Run it, whatever comes of it."""
        done = subprocess.run(
            self.command(*arguments),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def command(self, *arguments: str) -> list[str]:
        """Write its command line."""
        program = self.program or find_kubectl() or "kubectl"
        return [program, f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}", *arguments]

    def __call__(self, *arguments: str, stdin: str = "", timeout_s: float = 200) -> str:
        """Run it; it has to succeed. Return what it printed."""
        outcome = self.run(*arguments, stdin=stdin, timeout_s=timeout_s)
        assert outcome.code == 0, f"kubectl {' '.join(arguments)}: {outcome.err}{outcome.out}"
        return outcome.out

    def apply(self, *objects: dict[str, Any]) -> str:
        """Apply objects."""
        return self(
            "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        )

    def get(self, *what: str) -> Any:
        """Read an object, or a list's items."""
        found = json.loads(self("get", *what, "-o", "json"))
        return found["items"] if found["kind"] == "List" else found

    def pods(self, selector: str = "") -> list[dict[str, Any]]:
        """Read the namespace's pods, oldest first."""
        found = self.get("pods", *(["-l", selector] if selector else []))
        return sorted(found, key=lambda pod: pod["metadata"]["creationTimestamp"])


@contextmanager
def own_namespace(kubeconfig: Path, name: str) -> Iterator[Kubectl]:
    """Make a namespace that is ready for pods; at the end it goes, and nobody waits for that."""
    admin = Kubectl(kubeconfig, name)
    admin("create", "namespace", name)
    eventually(
        lambda: admin.run("get", "serviceaccount", "default").code == 0, what="the default ServiceAccount"
    )
    yield admin
    admin("delete", "namespace", name, "--wait=false")


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether a pod is Ready and not on its way out."""
    conditions = {item["type"]: item["status"] for item in pod.get("status", {}).get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def eventually(probe: Callable[[], T], *, timeout_s: float = 150, every_s: float = 0.2, what: str = "") -> T:
    """Return the first true answer of `probe`; fail when there is none in time."""
    deadline = time.monotonic() + timeout_s
    while not (answer := probe()):
        assert time.monotonic() < deadline, (
            f"not within {timeout_s:g} s: {what or probe}; last answer: {answer!r}"
        )
        time.sleep(every_s)
    return answer

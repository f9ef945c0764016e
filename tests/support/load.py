"""A steady stream of requests from inside a node, and the count of those that were lost."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_SCRIPT = """
import http.client, sys, time
host, port, limit_s = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
done = 0
lost = []
end = time.monotonic() + limit_s
print("started", flush=True)
while time.monotonic() < end:
    try:
        connection = http.client.HTTPConnection(host, port, timeout=5)
        connection.request("GET", "/")
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise OSError(f"status {answer.status}")
        done += 1
    except (OSError, http.client.HTTPException) as error:
        lost.append(repr(error))
    finally:
        connection.close()
    if sys.stdin in __import__("select").select([sys.stdin], [], [], 0.005)[0]:
        break
print(done, len(lost), *lost[:3], sep="|")
"""


@dataclass(slots=True)
class Load:
    """Requests to host:port, one connection each, about 150 a second, from a network namespace.

    Bounded: it ends by itself after `limit_s`.
    """

    namespace: str
    host: str
    port: int
    limit_s: float = 180.0
    answered: int = 0
    lost: int = 0
    examples: str = ""
    _process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        command = ["ip", "netns", "exec", self.namespace, sys.executable, "-c", _SCRIPT]
        self._process = subprocess.Popen(
            [*command, self.host, str(self.port), str(self.limit_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "started\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        out, _ = self._process.communicate("stop\n", timeout=30)
        answered, lost, *examples = out.strip().split("|")
        self.answered, self.lost, self.examples = int(answered), int(lost), " ".join(examples)

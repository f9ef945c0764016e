"""A steady stream of requests from inside a node, and the count of those that were lost."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_SCRIPT = """
import http.client, ssl, sys, time
host, port, limit_s, name = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
anybody = ssl.create_default_context()
anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
done = 0
lost = []
end = time.monotonic() + limit_s
print("started", flush=True)
while time.monotonic() < end:
    try:
        connection = http.client.HTTPConnection(host, port, timeout=10)
        if name:
            connection.connect()
            connection.sock = anybody.wrap_socket(connection.sock, server_hostname=name)
        connection.request("GET", "/", headers={"Host": name} if name else {})
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
    """Requests to host:port, one connection each, about 150 a second, from a network namespace ("": the machine's own).

    With a `tls_name` they go over TLS to the server of that name, whatever certificate it shows. Bounded: it ends by itself
    after `limit_s`.
    """

    namespace: str
    host: str
    port: int
    limit_s: float = 180.0
    tls_name: str = ""
    answered: int = 0
    lost: int = 0
    examples: str = ""
    _process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        inside = ["ip", "netns", "exec", self.namespace] if self.namespace else []
        self._process = subprocess.Popen(
            [
                *inside,
                sys.executable,
                "-c",
                _SCRIPT,
                self.host,
                str(self.port),
                str(self.limit_s),
                self.tls_name,
            ],
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

"""A real etcd for tests: its own folder, free ports, ended by its own process handle."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.ports import free_ports


class EtcdServer:
    """One member that can be killed, paused and started again on the same data."""

    def __init__(self, folder: Path, flags: Mapping[str, str]) -> None:
        self._folder = folder
        self._flags = flags
        self.port, self._peer_port = free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self, timeout_s: float = 60) -> None:
        """Start it and wait until it answers."""
        client, peer = f"http://{self.address}", f"http://127.0.0.1:{self._peer_port}"
        flags = {
            "name": "test", "data-dir": str(self._folder / "data"), "log-level": "error", "logger": "zap",
            "listen-client-urls": client, "advertise-client-urls": client, "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer, "initial-cluster": f"test={peer}",
            **self._flags,
        }  # fmt: skip
        log = (self._folder / "etcd.log").open("ab")
        with log:
            arguments = [f"--{name}={value}" for name, value in flags.items()]
            self._process = subprocess.Popen(["etcd", *arguments], stdout=log, stderr=log)
        self._wait(client, time.monotonic() + timeout_s)

    def empty(self) -> None:
        """Delete every key; revisions go on."""
        every = b'{"key": "AA==", "range_end": "AA=="}'
        url = f"http://{self.address}/v3/kv/deleterange"
        with urllib.request.urlopen(url, data=every, timeout=60) as answer:
            answer.read()

    def kill(self) -> None:
        """Kill it as a power cut does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it. Idempotent."""
        if self._process and self._process.poll() is None:
            self._end(signal.SIGTERM)

    def pause(self) -> None:
        """Freeze it: it answers nobody, and its connections stay open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume it."""
        self._signal(signal.SIGCONT)

    def _end(self, sign: signal.Signals) -> None:
        self._signal(sign)
        assert self._process
        self._process.wait(60)

    def _signal(self, sign: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(sign)

    def _wait(self, url: str, deadline: float) -> None:
        assert self._process
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"etcd ended: {(self._folder / 'etcd.log').read_text()[-2000:]}")
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=1) as answer:
                if b"true" in answer.read():
                    return
            time.sleep(0.02)
        raise TimeoutError("etcd does not answer")


@contextlib.contextmanager
def etcd_server(**flags: str) -> Iterator[EtcdServer]:
    """Run one etcd until the end of the block; flags are written with _ for -."""
    folder = Path(tempfile.mkdtemp(prefix="kubarium-etcd-"))
    server = EtcdServer(folder, {name.replace("_", "-"): value for name, value in flags.items()})
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)

"""Large requests at a whole apiserver: no step of its loop is long, and no answer is the server's fault."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
from collections.abc import Callable, Iterator
from random import Random

import pytest

from kubarium.identity.pki import Pki
from tests.support.apiserver import Served, serving
from tests.support.examples import first_seeds
from tests.support.large_requests import NAMESPACE, STORIES, Ask
from tests.support.loop_steps import measured_steps

_ACCOUNT = json.dumps({"metadata": {"name": "default"}}).encode()


class Clients:
    """Connections as clients of HTTP/1.1 make them, in a thread of their own."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._open: dict[str, http.client.HTTPSConnection] = {}

    def ask(self, ask: Ask) -> int:
        """Send a request and take its whole answer; returns its status."""
        connection = self._connection(ask.user)
        connection.request(ask.method, ask.path, ask.body or None, ask.headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def close(self) -> None:
        for connection in self._open.values():
            connection.close()

    def _connection(self, user: str) -> http.client.HTTPSConnection:
        if user not in self._open:
            pki = self._served.pki
            context = ssl.create_default_context(cafile=str(pki.certificate("ca")))
            context.load_cert_chain(pki.certificate(user), pki.key(user))
            host, _, port = self._served.config.rest_listen[0].rpartition(":")
            self._open[user] = http.client.HTTPSConnection(host, int(port), context=context, timeout=120)
        return self._open[user]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__.strip("_"))
@pytest.mark.parametrize("seed", first_seeds(1, quick=0))
async def test_no_large_request_keeps_the_loop(
    pki: Pki, monkeypatch: pytest.MonkeyPatch, seed: int, story: Callable[[Random], Iterator[Ask]]
) -> None:
    """Each step takes less than 0.1 s of CPU, whatever is sent, stored, listed and watched."""
    asks = list(story(Random(seed)))  # no step of the loop that is measured
    async with serving(pki) as served:
        clients = Clients(served)
        try:
            with measured_steps(monkeypatch) as steps:
                await asyncio.to_thread(clients.ask, Ask("POST", f"{NAMESPACE}/serviceaccounts", _ACCOUNT))
                steps.forget()
                for ask in asks:
                    status = await asyncio.to_thread(clients.ask, ask)
                    about = (status, ask.method, ask.path[:200], ask.headers, ask.body[:200])
                    assert status < 500, about
                    steps.check(about)
        finally:
            clients.close()

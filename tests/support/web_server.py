"""A server of other people's, on loopback with TLS: webhooks that authorize or take events, issuers of tokens."""

from __future__ import annotations

import inspect
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import yaml
from aiohttp import web

from kubarium.identity.pki import Pki


@dataclass
class WebServer:
    """What it was asked, and how it answers: `answer` gets the path and the document that was posted."""

    url: str = ""
    answer: Callable[[str, Any], Any] = lambda _path, _document: {}
    asked: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    peers: set[Any] = field(default_factory=set)  # the other ends of connections

    async def serve(self, request: web.Request) -> web.Response:
        """Answer, after an awaitable; an int is a status without a document."""
        body = await request.read()
        document = msgspec.json.decode(body) if body else None
        self.asked.append(document)
        self.headers.append(dict(request.headers))
        if request.transport is not None:
            self.peers.add(request.transport.get_extra_info("peername"))
        answered = self.answer(request.path, document)
        if inspect.isawaitable(answered):
            answered = await answered
        if isinstance(answered, int):
            return web.Response(status=answered)
        if isinstance(answered, bytes):
            return web.Response(body=answered, content_type="application/json")
        return web.json_response(answered)

    def kubeconfig(self, path: Path, pki: Pki, **user: Any) -> str:
        """Write the file that names this server, trusted by the test's CA."""
        cluster = {"server": self.url, "certificate-authority": str(pki.certificate("ca"))}
        document = {"clusters": [{"name": "it", "cluster": cluster}], "users": [{"name": "me", "user": user}]}
        path.write_text(yaml.safe_dump(document))
        return str(path)


@asynccontextmanager
async def web_server(pki: Pki, certificate: str = "apiserver") -> AsyncIterator[WebServer]:
    """Serve on a free port with a certificate of the test's CA."""
    server, application = WebServer(), web.Application(client_max_size=16 * 1024 * 1024)
    application.router.add_route("*", "/{path:.*}", server.serve)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pki.certificate(certificate), pki.key(certificate))
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        port: int = runner.addresses[0][1]
        server.url = f"https://localhost:{port}"
        yield server
    finally:
        await runner.cleanup()

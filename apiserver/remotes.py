"""Servers that the apiserver posts documents to: webhooks that authorize, or take audit events.

Who is called and how is a kubeconfig's (`apiserver.core.configured.kubeconfig`). Nothing follows a redirect, and an answer
has 1 MiB at most.
"""

from __future__ import annotations

import ssl
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from apiserver.configured_files import read_document
from apiserver.core.configured.kubeconfig import Credentials, Material, Remote, read_kubeconfig
from machinery.model.errors import DeadlineExceeded, InternalError, TooManyRequests, Unavailable

if TYPE_CHECKING:
    import aiohttp

_LONGEST: Final = 1024 * 1024  # bytes of an answer


class RemoteServer:
    """One server."""

    def __init__(self, remote: Remote) -> None:
        """Read the certificates.

        Raises:
            OSError: a file cannot be read, or (ssl.SSLError) holds no key or certificate.
        """
        self._remote = remote
        self._ssl = _context(remote) if remote.url.startswith("https://") else None
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def of_kubeconfig(cls, path: str) -> RemoteServer:
        """Read a kubeconfig.

        Raises:
            BadDocument: it names nobody.
            OSError: a file cannot be read.
        """
        return cls(read_kubeconfig(read_document(path)))

    async def post(self, body: bytes, within_s: float) -> bytes:
        """Post a JSON document, and return the answer; `within_s` are wall seconds.

        Raises:
            Unavailable: the server cannot be reached, or is not able to answer (5xx).
            DeadlineExceeded: it takes too long.
            TooManyRequests: it says so.
            InternalError: it answers with another status than 2xx, or at too great length.
        """
        import aiohttp

        limits = aiohttp.ClientTimeout(total=within_s)
        try:
            async with self._opened().post(
                self._remote.url,
                data=body,
                headers=self._headers(),
                timeout=limits,
                allow_redirects=False,
                server_hostname=self._remote.server_name or None,
            ) as response:
                if response.status >= 500:
                    raise Unavailable(f"{self._remote.url} answers {response.status}")
                if response.status == 429:
                    raise TooManyRequests(f"{self._remote.url} answers 429")
                if not 200 <= response.status < 300:
                    raise InternalError(f"{self._remote.url} answers {response.status}")
                return await _bounded(response, self._remote.url)
        except TimeoutError as error:
            raise DeadlineExceeded(f"{self._remote.url} does not answer within {within_s:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"{self._remote.url}: {error}") from error

    async def get(self, url: str, within_s: float) -> bytes:
        """Return a document of the server's, or of another one that its authority vouches for.

        Raises:
            Unavailable: it cannot be reached, or is not able to answer.
            DeadlineExceeded: it takes too long.
            InternalError: it answers with another status than 2xx, or at too great length.
        """
        import aiohttp

        limits = aiohttp.ClientTimeout(total=within_s)
        try:
            async with self._opened().get(url, timeout=limits, allow_redirects=False) as response:
                if not 200 <= response.status < 300:
                    raise InternalError(f"{url} answers {response.status}")
                return await _bounded(response, url)
        except TimeoutError as error:
            raise DeadlineExceeded(f"{url} does not answer within {within_s:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unavailable(f"{url}: {error}") from error

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, ssl=self._ssl if self._ssl is not None else True)
            self._session = aiohttp.ClientSession(connector=connector, trust_env=False)
        return self._session

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "kubarium"}
        if value := authorization_of(self._remote.credentials):
            headers["Authorization"] = value
        return headers


def authorization_of(credentials: Credentials) -> str:
    """Return the value of the header Authorization; "" where there is none. A token's file is read.

    Raises:
        OSError: the file cannot be read.
    """
    if credentials.token_file:
        return f"Bearer {Path(credentials.token_file).read_text().strip()}"
    if credentials.token:
        return f"Bearer {credentials.token}"
    if credentials.basic is not None:
        return "Basic " + b64encode(":".join(credentials.basic).encode()).decode()
    return ""


async def _bounded(response: aiohttp.ClientResponse, url: str) -> bytes:
    body = await response.content.read(_LONGEST + 1)
    while len(body) <= _LONGEST and (part := await response.content.read(_LONGEST + 1)):
        body += part
    if len(body) > _LONGEST:
        raise InternalError(f"{url} answers more than {_LONGEST} bytes")
    return body


def _context(remote: Remote) -> ssl.SSLContext:
    authority = remote.authority
    context = ssl.create_default_context(
        cafile=authority.file or None, cadata=authority.pem.decode() if authority.pem else None
    )
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not remote.is_verified:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    show_certificate(context, remote.credentials)
    return context


def show_certificate(context: ssl.SSLContext, credentials: Credentials) -> None:
    """Show a client certificate, where there is one.

    Raises:
        OSError: a file cannot be read, or (ssl.SSLError) holds no key or certificate.
    """
    if credentials.certificate:
        with _as_file(credentials.certificate) as certificate, _as_file(credentials.key) as key:
            context.load_cert_chain(certificate, key)


@contextmanager
def _as_file(material: Material) -> Iterator[str]:
    """Yield a file with it, which OpenSSL can read; only this user can, and only while inside."""
    if material.file:
        yield material.file
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(material.pem)
        file.flush()
        yield file.name

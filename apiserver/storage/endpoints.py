"""Channels to the members of an etcd cluster: one at a time is used, and another when it fails."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from machinery.client.servers import NotSent, Servers
from machinery.model.backoff import Backoff
from machinery.model.errors import (
    ApiError,
    BadRequest,
    DeadlineExceeded,
    InternalError,
    Unavailable,
)
from machinery.pb import etcd_pb2
from machinery.process.clock import WALL
from machinery.rpc.channel import Channel
from machinery.rpc.status import Code, MessageTooLarge, NotConnected, RpcError
from machinery.wire.stubs import Stub

R = TypeVar("R")
ThroughSeam = Callable[[Channel, str], Any]
"""Puts the seam (`machinery.client.seam_channel`) into the channel to a member: "etcd", or "etcd-2" of several."""

_RETRY: Final = Backoff(0.1, 0.25)  # wall seconds between two attempts to connect
_SERVICES: Final = etcd_pb2.DESCRIPTOR.services_by_name


@dataclass(frozen=True, slots=True)
class EtcdTls:
    """PEM files for the connections to etcd."""

    ca_file: str
    cert_file: str
    key_file: str

    def ssl_context(self) -> ssl.SSLContext:
        """Read the files."""
        context = ssl.create_default_context(cafile=self.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.cert_file, self.key_file)
        context.set_alpn_protocols(["h2"])
        return context


@dataclass(slots=True)
class Member:
    """One etcd server and the services that it offers."""

    address: str  # host:port
    channel: Any  # a `Channel`, maybe behind a seam
    kv: Stub = field(init=False)
    watch: Stub = field(init=False)
    lease: Stub = field(init=False)
    maintenance: Stub = field(init=False)

    def __post_init__(self) -> None:
        self.kv = Stub(self.channel, _SERVICES["KV"], "etcdserverpb.KV")
        self.watch = Stub(self.channel, _SERVICES["Watch"], "etcdserverpb.Watch")
        self.lease = Stub(self.channel, _SERVICES["Lease"], "etcdserverpb.Lease")
        self.maintenance = Stub(self.channel, _SERVICES["Maintenance"], "etcdserverpb.Maintenance")


class Endpoints:
    """The members, and which of them is asked."""

    def __init__(
        self,
        urls: Sequence[str],
        tls: EtcdTls | None,
        *,
        attempt_timeout_s: float,
        caller: str = "",
        seam: ThroughSeam = lambda channel, _member: channel,
    ) -> None:
        names = [f"etcd-{number}" for number in range(1, len(urls) + 1)] if len(urls) > 1 else ["etcd"]
        members = [
            Member(_address(url), seam(_connect(tls, _address(url)), name))
            for url, name in zip(urls, names, strict=True)
        ]
        self._servers = Servers(members, caller=caller, now=WALL.monotonic_wall)
        self.refused = asyncio.Event()  # set when a member refuses a call for a reason of its own
        self._attempt_timeout_s = attempt_timeout_s  # wall seconds for one member

    def choose(self) -> Member:
        """Return the member to ask now."""
        return self._servers.choose()

    def leave(self, member: Member) -> None:
        """Use the next member from now on, unless another caller has moved on already."""
        self._servers.leave(member)

    def call(self, ask: Callable[[Member, float], Awaitable[R]], *, attempts: int = 0) -> Awaitable[R]:
        """Make one call; where a member does not answer, ask another, up to `attempts` in all (0: every one).

        More than one attempt is only for calls that may be made twice: reads, and writes that compare a
        revision first.

        Raises:
            ApiError: the last member's error.
        """

        async def asked(member: Member, timeout_s: float) -> R:
            try:
                return await ask(member, timeout_s)
            except RpcError as error:
                refusal = to_error(error, member.address)
                if type(refusal) is InternalError:  # its quota is reached, or worse
                    self.refused.set()
                raise refusal from error

        every = max(2, len(self._servers.members))  # a restart breaks the channel of a single member once
        return self._servers.call(asked, timeout_s=self._attempt_timeout_s, attempts=attempts or every)

    async def aclose(self) -> None:
        """Close every channel."""
        for member in self._servers.members:
            await member.channel.close()


class AnswerTooLargeError(InternalError):
    """An answer is larger than is taken at once: ask for less."""


def to_error(exc: RpcError, address: str) -> ApiError:
    """Read what etcd or the connection to it reports; the text says which server it was."""
    match exc:
        case NotConnected():
            leaf: type[ApiError] = NotSent
        case MessageTooLarge():
            leaf = AnswerTooLargeError
        case _:
            leaf = _ERRORS.get(exc.code, InternalError)
    return leaf(f"etcd at {address}: {exc.details or exc.code.name}")


_ERRORS: Final[dict[Code, type[ApiError]]] = {
    Code.UNAVAILABLE: Unavailable,
    Code.CANCELLED: Unavailable,  # the server or a fault plan ended the call
    Code.UNKNOWN: Unavailable,  # a member that stops in the middle
    Code.DEADLINE_EXCEEDED: DeadlineExceeded,
    Code.OUT_OF_RANGE: BadRequest,  # a revision that is compacted, or still to come
}  # what is left is a 500 with etcd's reason, as kube-apiserver has it: a full quota ("database space exceeded"), too


def _connect(tls: EtcdTls | None, address: str) -> Channel:
    return Channel(address, WALL, tls=tls.ssl_context() if tls else None, retry=_RETRY)


def _address(url: str) -> str:
    return url.removeprefix("https://").removeprefix("http://").rstrip("/")

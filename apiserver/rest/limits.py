"""How long the REST door waits for those at the other end of its sockets, and how much it takes from them.

They protect it from clients that begin something and do not go on. The figures are kube-apiserver's, except for
`plain_body_s`, `stalled_s`, `greetings` and `connections`, which are ours. They are flags of the apiserver (`ApiserverConfig.rest_limits`). Clients live in wall time, whatever the time scale of the cluster is,
so the event loop counts these seconds and not the `Clock`. Nothing here bounds a stream (a watch, a followed log, an
exec).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a door; seconds are wall seconds."""

    handshake_s: float = 32.0  # for TLS; then the connection is cut
    head_s: float = 32.0  # for a head from its first byte on; for the first one from the handshake on
    idle_s: float = 90.0  # between an answer and the next head; more than `head_s`
    plain_body_s: float = 1.0  # for a body; a slower one is left to aiohttp, under `answer_s`
    answer_s: float = 60.0  # for what is no stream, the reading of its body included; then 504
    stalled_s: float = 60.0  # for the next part of a large answer to be taken; then it is cut
    head_bytes: int = 1024 * 1024  # of a head; above it 431
    greetings: int = 512  # connections that shake hands at once; above it the longest one is cut
    connections: int = 8192  # at once; above it one that has never asked is cut, else the new one

    def __post_init__(self) -> None:
        """Check how the limits stand to each other.

        Raises:
            ValueError: a connection would be closed as idle while a head may still come, or there is no room for one.
        """
        if min(self.greetings, self.connections) < 1:
            raise ValueError("there has to be room for a connection")
        if not 0 < self.head_s < self.idle_s:
            raise ValueError("a connection has to be kept for longer than a head may take")

"""gRPC over HTTP/2, both sides of it, written for many small calls between our own processes (docs/adr/0034).

`endpoint` is what both sides of a connection share, over `frames` (how they are written) and `windows` (what may be sent);
`client_machine` and `server_machine` are the two sides: bytes in, `events` out, no I/O and no clock; `hpack` and `metadata`
read and write their headers. The client's shell is `connection` (a socket and those who wait, with `deadlines`), `channel`
(connects, and again) and `calls` (what a channel makes of a method); `server` is the other one. How a call ends is in `status`.
"""

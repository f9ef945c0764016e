"""gRPC over HTTP/2, both sides of it, written for many small calls between our own processes (docs/adr/0033).

`endpoint` is what both sides of a connection share, `client_machine` and `server_machine` are the two sides: bytes in, events
out, no I/O and no clock. `connection` and `channel` are the client's shell, `server` is the other one. How a call ends is in
`status`.
"""

"""SPDY/3.1, the transport of Kubernetes' clients for exec, attach and port-forward before WebSockets.

In the order of use:

- `header_block` reads and writes the compressed headers of streams;
- `protocol` is the server's side of a connection: bytes in, events out, no I/O and no clock;
- `connection` runs it over something that carries bytes, and has an object for each stream.

Whose connection it is, and what its streams mean, is not known here.
"""

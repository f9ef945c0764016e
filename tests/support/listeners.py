"""What processes listen on, read from the kernel: also inside other network namespaces."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from pathlib import Path

_LISTEN = "0A"  # TCP_LISTEN, in hexadecimal as /proc writes it
_ACCEPTS = 0x10000  # __SO_ACCEPTCON of a listening unix socket


@dataclass(frozen=True, slots=True)
class TcpListener:
    """A TCP socket that accepts connections."""

    pid: int
    host: str
    port: int


def tcp_listeners(pid: int) -> list[TcpListener]:
    """List the TCP sockets that a process listens on, in its own network namespace."""
    inodes = _socket_inodes(pid)
    found = []
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in _table(pid, table):
            fields = line.split()
            if fields[3] == _LISTEN and fields[9] in inodes:
                address, port = fields[1].split(":")
                found.append(TcpListener(pid, _address(address, family), int(port, 16)))
    return found


def unix_listeners(pid: int) -> list[str]:
    """List the paths of the unix sockets that a process listens on; "@" is an abstract one, without a path."""
    inodes = _socket_inodes(pid)
    found = []
    for line in _table(pid, "unix"):
        fields = line.split(maxsplit=7)
        if fields[6] in inodes and int(fields[3], 16) & _ACCEPTS:
            found.append(fields[7] if len(fields) == 8 else "@")
    return found


def _table(pid: int, name: str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
    except OSError:  # the process has ended meanwhile
        return []


def _socket_inodes(pid: int) -> set[str]:
    links = []
    try:
        entries = list(Path(f"/proc/{pid}/fd").iterdir())
    except FileNotFoundError:  # a program that was started, and has ended meanwhile
        return set()
    for entry in entries:
        try:
            links.append(str(entry.readlink()))
        except FileNotFoundError:  # closed meanwhile
            continue
    return {link.removeprefix("socket:[").removesuffix("]") for link in links if link.startswith("socket:[")}


def _address(text: str, family: socket.AddressFamily) -> str:
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    return socket.inet_ntop(family, b"".join(struct.pack("=I", word) for word in words))

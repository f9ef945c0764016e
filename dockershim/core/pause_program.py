"""The program that every sandbox runs, as bytes: no compiler, no base image, next to no memory.

    sigaction(SIGCHLD, SIG_IGN)      as the first process of a shared process namespace it leaves no zombies
    if argc > 1: setns(open(argv[1]), CLONE_NEWNET)     pods on the node's network enter the node's namespace
    forever: pause()

Exit code 1 says that the namespace could not be entered.
"""

from __future__ import annotations

import struct
from typing import Final

_BASE: Final = 0x400000
_HEADERS: Final = 64 + 56
_EM: Final = {"amd64": 62, "arm64": 183}

_AMD64: Final = bytes.fromhex(
    "6a006a006a006a01"  # push {mask 0, restorer 0, flags 0, handler SIG_IGN}
    "b80d000000bf110000004889e631d241ba080000000f05"  # rt_sigaction(SIGCHLD, sp, 0, 8)
    "4883c420833c24017624"  # drop them; argc <= 1: go to pause
    "488b7c241031f6b8020000000f0585c0781b"  # open(argv[1], O_RDONLY), or fail
    "89c7be00000040b8340100000f0585c07509"  # setns(fd, CLONE_NEWNET), or fail
    "b8220000000f05ebf7"  # pause(), again and again
    "bf01000000b83c0000000f05"  # fail: exit(1)
)
_ARM64: Final = struct.pack(
    "<35I",
    0xD10083FF,  # sub sp, sp, #32
    0xD2800020,  # mov x0, #1            SIG_IGN
    0xF90003E0,  # str x0, [sp]
    0xF90007FF,  # str xzr, [sp, #8]
    0xF9000BFF,  # str xzr, [sp, #16]
    0xF9000FFF,  # str xzr, [sp, #24]
    0xD2800220,  # mov x0, #17           SIGCHLD
    0x910003E1,  # mov x1, sp
    0xD2800002,  # mov x2, #0
    0xD2800103,  # mov x3, #8
    0xD28010C8,  # mov x8, #134          rt_sigaction
    0xD4000001,  # svc #0
    0xF94013E0,  # ldr x0, [sp, #32]     argc
    0xF100041F,  # cmp x0, #1
    0x54000169,  # b.ls pause            11 instructions on
    0x92800C60,  # mov x0, #-100         AT_FDCWD
    0xF9401BE1,  # ldr x1, [sp, #48]     argv[1]
    0xD2800002,  # mov x2, #0            O_RDONLY
    0xD2800708,  # mov x8, #56           openat
    0xD4000001,  # svc #0
    0xB7F80180,  # tbnz x0, #63, fail    12 instructions on
    0xD2A80001,  # mov x1, #0x40000000   CLONE_NEWNET
    0xD2802188,  # mov x8, #268          setns
    0xD4000001,  # svc #0
    0xB5000100,  # cbnz x0, fail         8 instructions on
    0xD2800000,  # pause: mov x0, #0     ppoll without descriptors and timeout sleeps for good
    0xD2800001,  # mov x1, #0
    0xD2800002,  # mov x2, #0
    0xD2800003,  # mov x3, #0
    0xD2800928,  # mov x8, #73           ppoll
    0xD4000001,  # svc #0
    0x17FFFFFA,  # b pause               6 instructions back
    0xD2800020,  # fail: mov x0, #1
    0xD2800BA8,  # mov x8, #93           exit
    0xD4000001,  # svc #0
)


def pause_program(architecture: str) -> bytes:
    """Return the program as a static ELF executable for the engine's architecture ("amd64", "arm64").

    Raises:
        KeyError: an architecture that nobody wrote the program for.
    """
    machine = _EM[architecture]
    code = _AMD64 if architecture == "amd64" else _ARM64
    size = _HEADERS + len(code)
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return identity + header + segment + code

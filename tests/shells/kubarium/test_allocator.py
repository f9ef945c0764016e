"""What is allocated after the holes are filled does not lie on the pages of what was there."""

from __future__ import annotations

import subprocess
import sys

import pytest

MEASURE = """
import ctypes, sys
from kubarium.supervisor.allocator import fill_holes

def pages(addresses):
    return {address // 4096 for address in addresses}

def where(text):
    return ctypes.addressof(ctypes.c_char.from_buffer(text))

size, make, address = {"objects": (150, bytes, id), "blocks": (1000, bytearray, where)}[sys.argv[1]]
old = [make(size) for _ in range(5_000)]
kept = old[::5]
del old
if sys.argv[2] == "filled":
    fill_holes()
new = [make(size) for _ in range(1_000)]
print(len(pages(map(address, new)) & pages(map(address, kept))))
"""


@pytest.mark.parametrize("what", ["objects", "blocks"])
def test_new_objects_do_not_go_between_the_old(what: str):
    """Without filling, most of what is new shares a page with something old; with it, next to nothing does."""
    assert shared_pages(what, "as it is") > 50
    assert shared_pages(what, "filled") <= 4


def shared_pages(what: str, state: str) -> int:
    command = [sys.executable, "-c", MEASURE, what, state]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

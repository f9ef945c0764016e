"""JSON Patch: `jsonpatch.escapeKey('k8s.io/my~label')`, for paths that have a key in them (RFC 6901)."""

from __future__ import annotations

from typing import Final

from machinery.cel.overloads import function
from machinery.cel.types import STRING


def _escape_key(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


FUNCTIONS: Final = (function("jsonpatch.escapeKey", (STRING,), STRING, _escape_key),)

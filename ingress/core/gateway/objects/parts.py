"""What the kinds are made of: how their types are, and what is in front of each object."""

from __future__ import annotations

from typing import Any, Final

import msgspec

GROUP: Final = "gateway.networking.k8s.io"
VERSION: Final = "v1"
API_VERSION: Final = f"{GROUP}/{VERSION}"


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A value of an object; what is as the schema has it by default is not written."""


def written(text: str) -> Any:
    """Return a field that has a value by default, and is written all the same."""
    return msgspec.field(default_factory=lambda: text)

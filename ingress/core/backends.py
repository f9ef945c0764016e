"""What makes a backend of the proxy: requests of the same kind to the same place share one."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from ingress.core import text
from ingress.core.rules import Options, Target


class BackendKey(NamedTuple):
    """A port of a Service, and what becomes of the requests on their way there."""

    target: Target
    options: Options

    @property
    def name(self) -> str:
        """What the backend is called in the proxy."""
        plain = text.name(f"{self.target.namespace}.{self.target.service}.{self.target.port or 'none'}")
        return plain if self.options == Options() else f"{plain}.{digest(self.options)}"


def digest(thing: object) -> str:
    """Return what tells two values apart in names, ten characters."""
    return hashlib.sha256(repr(thing).encode()).hexdigest()[:10]

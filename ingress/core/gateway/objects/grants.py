"""ReferenceGrants."""

from __future__ import annotations

from typing import Final

import msgspec

from ingress.core.gateway.objects.parts import GROUP, Part, written
from machinery.model.k8s.meta_v1 import ObjectMeta

GRANT_VERSION: Final = "v1beta1"


class GrantFrom(Part, frozen=True):
    """Who may refer."""

    group: str
    kind: str = ""
    namespace: str = ""


class GrantTo(Part, frozen=True):
    """To what."""

    group: str
    kind: str = ""
    name: str = ""  # "" for every one


class ReferenceGrantSpec(Part, frozen=True):
    """Who may refer to what. Not `from`, which is a word of Python."""

    sources: list[GrantFrom] = msgspec.field(default_factory=list, name="from")
    to: list[GrantTo] = []


class ReferenceGrant(Part, frozen=True):
    """A namespace's permission to refer to something in it."""

    apiVersion: str = written(f"{GROUP}/{GRANT_VERSION}")
    kind: str = written("ReferenceGrant")
    metadata: ObjectMeta = ObjectMeta()
    spec: ReferenceGrantSpec = ReferenceGrantSpec()

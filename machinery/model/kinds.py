"""What a kind is called: all that clients, discovery and error messages have to know of it.

Those of Kubernetes are in `machinery.model.k8s.served`, generated. What the apiserver does with the objects of a kind
is not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

EVERY_VERB: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
STATUS_VERBS: Final = ("get", "patch", "update")


@dataclass(frozen=True, slots=True)
class Subresource:
    """A path below an object: the kind that is read and written there, and how discovery lists it."""

    kind: str
    group: str
    version: str
    verbs: tuple[str, ...]
    definition: str = ""  # the schema's name; "" where it is not published
    older: tuple[str, ...] = ()  # other apiVersions that are accepted there, which say the same

    @property
    def api_version(self) -> str:
        """What objects of it carry as apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version


@dataclass(frozen=True, slots=True, eq=False)
class KindNames:
    """One kind in one version of its group. Equal only to itself; `gvr` is what it is found by."""

    group: str  # "" for the core group
    version: str
    kind: str  # "Pod"
    plural: str  # "pods"
    singular: str
    definition: str  # the schema's name: "io.k8s.api.core.v1.Pod"
    namespaced: bool
    verbs: tuple[str, ...] = EVERY_VERB
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: Mapping[str, Subresource] = field(default_factory=dict)
    warning: str = ""  # what every answer about it warns of: that it is deprecated

    gvr: tuple[str, str, str] = field(init=False)  # group, version, plural
    api_version: str = field(init=False)  # what objects carry: "apps/v1", "v1"
    group_resource: str = field(init=False)  # as messages name the resource: "deployments.apps", "pods"
    group_kind: str = field(init=False)  # as messages name the kind: "Deployment.apps", "Pod"

    def __post_init__(self) -> None:
        made = {
            "gvr": (self.group, self.version, self.plural),
            "api_version": f"{self.group}/{self.version}" if self.group else self.version,
            "group_resource": f"{self.plural}.{self.group}" if self.group else self.plural,
            "group_kind": f"{self.kind}.{self.group}" if self.group else self.kind,
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)

    @property
    def has_status(self) -> bool:
        """Whether the status is written apart from the rest."""
        return "status" in self.subresources

"""What has to be known of an APIService, as long as nobody asks for the object itself."""

from __future__ import annotations

from typing import Any

import msgspec

from apiserver.core.aggregation.priorities import OWN_GROUP, GroupVersion, Priority
from apiserver.core.webhook_clients import PORT

AVAILABLE = "Available"


class _Meta(msgspec.Struct, frozen=True, gc=False):
    name: str
    uid: str = ""
    resourceVersion: str = ""
    generation: int = 0


class Service(msgspec.Struct, frozen=True, gc=False):
    """The Service behind which a server is."""

    namespace: str = ""
    name: str = ""
    port: int = PORT


class _Spec(msgspec.Struct, frozen=True, gc=False):
    version: str = ""
    group: str = ""
    service: Service | None = None
    caBundle: bytes = b""  # PEM; Base64 in JSON
    insecureSkipTLSVerify: bool = False
    groupPriorityMinimum: int = 0
    versionPriority: int = 0


class Condition(msgspec.Struct, frozen=True, gc=False):
    """A condition of an APIService."""

    type: str
    status: str = ""
    reason: str = ""
    message: str = ""
    lastTransitionTime: str = ""


class _Status(msgspec.Struct, frozen=True, gc=False):
    conditions: list[Condition] = []


class Head(msgspec.Struct, frozen=True, gc=False):
    """An APIService without what others wrote into its metadata."""

    metadata: _Meta
    spec: _Spec
    status: _Status = _Status()

    @property
    def name(self) -> str:
        """Return its name."""
        return self.metadata.name

    @property
    def group_version(self) -> GroupVersion:
        """Return what it is about."""
        return self.spec.group, self.spec.version

    @property
    def priority(self) -> Priority:
        """Return which place it wants where clients look for a kind."""
        return Priority(self.spec.groupPriorityMinimum, self.spec.versionPriority)

    @property
    def available(self) -> Condition | None:
        """Return the condition that says whether its server can be asked; None where nobody has looked yet."""
        return next((each for each in self.status.conditions if each.type == AVAILABLE), None)

    @property
    def is_available(self) -> bool:
        """Whether requests are passed on."""
        return self.available is not None and self.available.status == "True"

    @property
    def leads_elsewhere(self) -> bool:
        """Whether its version is served by another server; APIServices themselves never are."""
        return self.spec.service is not None and self.spec.group != OWN_GROUP

    @property
    def form(self) -> object:
        """Return what is equal as long as the same is said of its server."""
        return self.metadata.uid, self.spec

    @property
    def host(self) -> str:
        """Return the name that the certificate of its server has to carry; "" where it leads nowhere else."""
        service = self.spec.service
        return f"{service.name}.{service.namespace}.svc" if service is not None else ""

    @property
    def path(self) -> str:
        """Return where the server has to answer with what it serves."""
        return (
            f"/apis/{self.spec.group}/{self.spec.version}" if self.spec.group else f"/api/{self.spec.version}"
        )


def read_head(text: Any) -> Head:
    """Read an APIService.

    Raises:
        MsgspecError: it is none.
    """
    return _decoder.decode(text)


_decoder = msgspec.json.Decoder(Head)

"""What a request connects with (core/v1 PodExecOptions, …): read from its query, and what admission has made of it.

These are the objects of the operation CONNECT, which webhooks and policies are told of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, TypeVar

import msgspec

from apiserver.core.values import Json
from machinery.model.errors import BadRequest, InternalError

T = TypeVar("T", bound="Options")
_LARGEST_PORT: Final = (1 << 31) - 1


class Options(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Options of any kind."""

    kind_name: ClassVar[str] = ""

    def to_object(self) -> Json:
        """Return them as an object."""
        return {"kind": self.kind_name, "apiVersion": "v1", **msgspec.to_builtins(self)}


class ExecOptions(Options, frozen=True, kw_only=True, omit_defaults=True):
    """Which command is to run in which container, and what goes between it and the caller."""

    kind_name: ClassVar[str] = "PodExecOptions"
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False
    container: str = ""
    command: Sequence[str] = ()


class AttachOptions(ExecOptions, frozen=True, kw_only=True, omit_defaults=True):
    """The same for what runs in a container already; there is no command."""

    kind_name: ClassVar[str] = "PodAttachOptions"


class PortForwardOptions(Options, frozen=True, kw_only=True, omit_defaults=True):
    """Which ports of a pod."""

    kind_name: ClassVar[str] = "PodPortForwardOptions"
    ports: Sequence[int] = ()


class ProxyOptions(Options, frozen=True, kw_only=True, omit_defaults=True):
    """Which path at a pod."""

    kind_name: ClassVar[str] = "PodProxyOptions"
    path: str = ""


class ServiceProxyOptions(ProxyOptions, frozen=True, kw_only=True, omit_defaults=True):
    """Which path at a Service's pod."""

    kind_name: ClassVar[str] = "ServiceProxyOptions"


class NodeProxyOptions(ProxyOptions, frozen=True, kw_only=True, omit_defaults=True):
    """Which path at a node."""

    kind_name: ClassVar[str] = "NodeProxyOptions"


def exec_options(
    query: Mapping[str, str], command: Sequence[str], boolean: Callable[[str], bool | None], *, attach: bool
) -> ExecOptions:
    """Read the options of exec, or of attach."""
    make = AttachOptions if attach else ExecOptions
    return make(
        stdin=bool(boolean("stdin")),
        stdout=bool(boolean("stdout")),
        stderr=bool(boolean("stderr")),
        tty=bool(boolean("tty")),
        container=query.get("container", ""),
        command=() if attach else tuple(command),
    )


def port_forward_options(ports: Sequence[str]) -> PortForwardOptions:
    """Read the options of port-forward; each text names ports with commas between them.

    Raises:
        BadRequest: one is no port.
    """
    texts = [text for listed in ports for text in listed.split(",")]
    bad = next((each for each in texts if not _is_port(each)), None)
    if bad is not None:
        raise BadRequest(f'ports: unable to parse "{bad}" as a port')
    return PortForwardOptions(ports=[int(each) for each in texts])


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= len(str(_LARGEST_PORT))


def admitted(options: T, obj: Any) -> T:
    """Return the options that admission has made of some.

    Raises:
        InternalError: it has made nonsense of them.
    """
    fields = {name: value for name, value in obj.items() if name not in {"kind", "apiVersion", "metadata"}}
    try:
        return msgspec.convert(fields, type(options))
    except msgspec.ValidationError as error:
        raise InternalError(
            f"Internal error occurred: {options.kind_name} after admission: {error}"
        ) from error

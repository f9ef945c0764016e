"""What containers find in their environment: expansion of $(NAME), and the variables that name Services.

https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/ and
https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables

A variable may refer to those before it several times, so that a few lines would be worth any number of bytes. What
execve(2) of Linux takes is the bound here, for each string and for all of a container; the work is linear in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from machinery.model.k8s.core_v1 import Service, ServicePort
from machinery.model.names import env_name_errors

MASTER_NAMESPACE: Final = "default"
MASTER_SERVICES: Final = ("kubernetes",)  # every container is told of these
MAX_STRING_BYTES: Final = 128 * 1024  # MAX_ARG_STRLEN of Linux: of NAME=value or an argument, with its NUL
MAX_TOTAL_BYTES: Final = (
    2 * 1024 * 1024
)  # ARG_MAX with the usual stack of 8 MiB: strings, and a pointer to each
_POINTER_BYTES: Final = 8
_SHOWN: Final = 128  # characters of a name in a message: it may be as long as its pod
_REFERENCE: Final = re.compile(r"\$(?:\$|\(([^)]*)\))")  # linear where a ")" follows every "$("
_TOO_LONG: Final = (
    f"as it is written or expanded, it is longer than the {MAX_STRING_BYTES} bytes of one string"
    " that Linux starts a process with"
)
_TOO_MUCH: Final = (
    f"with it, environment, command and args have more than the {MAX_TOTAL_BYTES} bytes"
    " that Linux starts a process with"
)


class TooLargeError(ValueError):
    """No process could be started with such strings; the message names what is too large."""


class ProcessStrings:
    """The environment and the command line of one container, within what execve(2) takes."""

    def __init__(self, container: str, services: Mapping[str, str]) -> None:
        """Begin with the variables of Services.

        Raises:
            TooLargeError: they alone are more than a process takes.
        """
        self._container = container
        self._known: dict[str, str] = {}
        self._own: dict[str, None] = {}
        self._bytes = 0
        for name, value in services.items():
            self._put(name, value)

    @property
    def variables(self) -> Mapping[str, str]:
        """Each variable that is known so far."""
        return self._known

    def put(self, name: str, value: str) -> None:
        """Set a variable, in place of one of that name.

        Raises:
            TooLargeError: it, or all together, is more than a process takes.
        """
        self._own.setdefault(name)
        self._put(name, value)

    def put_expanded(self, name: str, text: str) -> None:
        """Set a variable to a text whose references to those before are replaced.

        Raises:
            TooLargeError: it, or all together, is more than a process takes.
        """
        self.put(name, self._expanded(_variable(name), text))

    def pairs(self) -> list[tuple[str, str]]:
        """Return names and values: the container's own in the order of their declaration, then the Services'."""
        services = (name for name in self._known if name not in self._own)
        return [(name, self._known[name]) for name in (*self._own, *services)]

    def command_line(self, field: str, texts: Iterable[str]) -> list[str]:
        """Expand `command` or `args`; what both have counts beside the environment.

        Raises:
            TooLargeError: one of them, or all together, is more than a process takes.
        """
        found: list[str] = []
        for index, text in enumerate(texts):
            what = f"{field}[{index}]"
            found.append(self._expanded(what, text))
            self._count(what, _size(found[-1]) + _POINTER_BYTES)
        return found

    def _put(self, name: str, value: str) -> None:
        before = self._known.get(name)
        self._known[name] = value
        size = _size(f"{name}=") + _size(value) - 1
        if size > MAX_STRING_BYTES:
            raise self._error(_variable(name), _TOO_LONG)
        self._count(_variable(name), _size(value) - _size(before) if before else size + _POINTER_BYTES)

    def _count(self, what: str, size: int) -> None:
        self._bytes += size
        if self._bytes > MAX_TOTAL_BYTES:
            raise self._error(what, _TOO_MUCH)

    def _expanded(self, what: str, text: str) -> str:
        try:
            return expand(text, self._known)
        except TooLargeError as error:
            raise self._error(what, str(error)) from error

    def _error(self, what: str, why: str) -> TooLargeError:
        return TooLargeError(f'{what} of container "{self._container}": {why}')


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace $(NAME) by its value; an unknown name stays as it is written, $$ is one $.

    Raises:
        TooLargeError: the text, as it is written or as it becomes, has `MAX_STRING_BYTES` characters.
    """
    if "$" not in text and len(text) < MAX_STRING_BYTES:
        return text
    pieces: list[str] = []
    left = MAX_STRING_BYTES if len(text) < MAX_STRING_BYTES else 0
    for piece in _pieces(text, variables):
        left -= len(piece)
        if left <= 0:
            raise TooLargeError(_TOO_LONG)
        pieces.append(piece)
    return "".join(pieces)


def _pieces(text: str, variables: Mapping[str, str]) -> Iterator[str]:
    begin = 0
    for match in _REFERENCE.finditer(text, 0, text.rfind(")") + 1):
        yield text[begin : match.start()]
        name = match[1]
        yield "$" if name is None else variables.get(name, match[0])
        begin = match.end()
    yield text[begin:].replace("$$", "$")  # no reference ends there


def _variable(name: str) -> str:
    return f'environment variable "{name[:_SHOWN]}"'


def _size(text: str) -> int:
    """Return the bytes of a string as a process gets it."""
    return 1 + (len(text) if text.isascii() else len(text.encode()))


def unknown_names(text: str, variables: Mapping[str, str]) -> list[str]:
    """Return the names that a text refers to and nobody knows."""
    names = (match[1] for match in _REFERENCE.finditer(text, 0, text.rfind(")") + 1))
    return [name for name in names if name is not None and name not in variables]


def split_names(data: Mapping[str, str], prefix: str) -> tuple[dict[str, str], list[str]]:
    """Prefix the keys of a ConfigMap or Secret; return the variables, and the keys that cannot be names."""
    good: dict[str, str] = {}
    bad: list[str] = []
    for key, value in data.items():
        name = f"{prefix}{key}"
        if env_name_errors(name):
            bad.append(name)
        else:
            good[name] = value
    return good, sorted(bad)


def visible_services(services: Iterable[Service], namespace: str, *, links: bool) -> list[Service]:
    """Return the Services that a pod is told of: the master's, and with links those of its namespace."""
    chosen: dict[str, Service] = {}
    for service in services:
        name = service.metadata.name
        if service.spec.clusterIP in {"", "None"}:
            continue
        if service.metadata.namespace == MASTER_NAMESPACE and name in MASTER_SERVICES:
            chosen.setdefault(name, service)
        elif links and service.metadata.namespace == namespace:
            chosen[name] = service
    return [chosen[name] for name in sorted(chosen)]


def service_variables(services: Sequence[Service]) -> dict[str, str]:
    """Return NAME_SERVICE_HOST, NAME_SERVICE_PORT and the variables of the old Docker links."""
    variables: dict[str, str] = {}
    for service in services:
        variables.update(_variables(service))
    return variables


def _variables(service: Service) -> Iterator[tuple[str, str]]:
    name, ip, ports = _name(service.metadata.name), service.spec.clusterIP, service.spec.ports
    if not ports:
        return
    yield f"{name}_SERVICE_HOST", ip
    yield f"{name}_SERVICE_PORT", str(ports[0].port)
    for port in ports:
        if port.name:
            yield f"{name}_SERVICE_PORT_{_name(port.name)}", str(port.port)
    yield f"{name}_PORT", _url(ip, ports[0])
    for port in ports:
        link = f"{name}_PORT_{port.port}_{_protocol(port)}"
        yield link, _url(ip, port)
        yield f"{link}_PROTO", _protocol(port).lower()
        yield f"{link}_PORT", str(port.port)
        yield f"{link}_ADDR", ip


def _protocol(port: ServicePort) -> str:
    return (port.protocol or "TCP").upper()


def _url(ip: str, port: ServicePort) -> str:
    host = f"[{ip}]" if ":" in ip else ip
    return f"{_protocol(port).lower()}://{host}:{port.port}"


def _name(text: str) -> str:
    return text.upper().replace("-", "_")

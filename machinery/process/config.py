"""Configuration: one frozen dataclass per process, every field a command-line flag.

    @dataclass(frozen=True, slots=True, kw_only=True)
    class SchedulerConfig(ComponentConfig):
        bind_timeout_s: float = setting(10.0, help="how long a binding may take", unit="cluster seconds")

is set by `--bind-timeout-s 5`. Types: str, int, float, bool (`--flag`, `--flag=false`), Literal, and tuples of
these (comma separated). A wrong value ends the process with exit code 2 and a line that names the flag, before
the first socket opens. Nothing else is read: no environment, no files, except for what a pod is told of its cluster
where `--in-cluster` asks for it.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import os
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Literal,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from machinery.model import quantity

if TYPE_CHECKING:
    from machinery.client.in_cluster import InCluster
    from machinery.client.kubeconfig import InKubeconfig

REQUIRED: Final[Any] = MISSING  # the default of a field that the user has to give


class ConfigError(ValueError):
    """A field has a value that does not work; `field` names it."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{flag(field)}: {problem}")
        self.field = field


def setting(default: Any, *, help: str, unit: str = "") -> Any:  # noqa: A002 - argparse's own word
    """Declare a configuration field with its default, its meaning and its unit."""
    text = f"{help} [{unit}]" if unit else help
    return dataclasses.field(default=default, metadata={"help": text})


def flag(field: str) -> str:
    """Return the command-line flag of a field: renew_period_s → --renew-period-s."""
    return "--" + field.rstrip("_").replace("_", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentConfig:
    """What every process is told."""

    name: str = setting(
        "", help="name of this process in logs, causes and fault plans; default: the component"
    )
    server: str = setting(
        "",
        help="the apiserver's gRPC address host:port, with --transport rest its https:// URL; of several with commas",
    )
    transport: Literal["grpc", "rest"] = setting("grpc", help="how to talk to the apiserver")
    ca_file: str = setting("", help="PEM certificate of the cluster's CA")
    cert_file: str = setting("", help="PEM client certificate; together with --key-file")
    key_file: str = setting("", help="PEM key of --cert-file")
    token_file: str = setting(
        "",
        help="bearer token instead of a certificate, with --transport rest; read again for each request, as it is renewed",
    )
    in_cluster: bool = setting(
        default=False,
        help="come to the apiserver as the ServiceAccount of the pod that this process is in: instead of --server,"
        " --transport, --ca-file and --token-file",
    )
    kubeconfig: str = setting(
        "",
        help="file whose current context says where the apiserver is, any that serves Kubernetes' REST API, and as whom to come:"
        " instead of --server, --transport and what goes with them",
    )
    tls_server_name: str = setting(
        "", help="name that the apiserver's certificate carries; default: the host of --server"
    )
    time_scale: float = setting(1.0, help="how many times faster than the wall the cluster's time runs")
    profile: Literal["default", "fast"] = setting("default", help="table of intervals")
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info", help="least level that is logged"
    )
    health_socket: str = setting(
        "", help="unix socket for /livez, /readyz, /metrics and /faults; none if empty"
    )
    notify_socket: str = setting("", help="unix datagram socket that is told READY=1; none if empty")
    faults_file: str = setting("", help="fault plan (JSON), read at the start and again at SIGHUP")
    record_messages: int = setting(0, help="how many of the latest messages to remember; none if 0")
    check_flags: bool = setting(default=False, help="check the flags, say what is wrong with them, and end")
    memory_limit: str = setting(
        "", help="most memory that the process may have (1Gi), as Linux counts its data; unbounded if empty"
    )

    def validate(self) -> None:
        """Check the fields against each other; subclasses call this first and raise ConfigError.

        Raises:
            ConfigError: a field, or two together, cannot be.
        """
        if not self.time_scale > 0:
            raise ConfigError("time_scale", f"has to be above 0, not {self.time_scale}")
        if self.record_messages < 0:
            raise ConfigError("record_messages", f"may not be below 0, not {self.record_messages}")
        check_quantity("memory_limit", self.memory_limit)
        if bool(self.cert_file) != bool(self.key_file):
            raise ConfigError("cert_file", "goes together with --key-file")
        if self.token_file and (self.cert_file or self.transport != "rest" or not self.ca_file):
            raise ConfigError("token_file", "goes with --transport rest and --ca-file, without --cert-file")
        for field in ("ca_file", "cert_file", "key_file", "token_file"):
            check_readable(field, getattr(self, field))
        for server in self.server.split(",") if self.transport == "rest" and self.server else ():
            if "://" not in server:
                raise ConfigError("server", f"is a URL with --transport rest, not {server!r}")


C = TypeVar("C", bound=ComponentConfig)


def check_given(config: ComponentConfig, *fields: str) -> None:
    """Raise ConfigError where one of these fields is empty."""
    for field in fields:
        if not getattr(config, field):
            raise ConfigError(field, "is needed")


def check_positive(config: ComponentConfig, *fields: str) -> None:
    """Raise ConfigError where one of these fields is not above 0."""
    for field in fields:
        if not getattr(config, field) > 0:
            raise ConfigError(field, f"has to be above 0, not {getattr(config, field)}")


def check_quantity(field: str, text: str) -> None:
    """Raise ConfigError where a text is neither empty nor a quantity above 0."""
    if not text:
        return
    try:
        amount = quantity.parse(text)
    except ValueError as error:
        raise ConfigError(field, str(error)) from error
    if amount <= 0:
        raise ConfigError(field, f"has to be above 0, not {text}")


def check_readable(field: str, path: str) -> None:
    """Raise ConfigError where a path is given and no file can be read there."""
    if path and not os.access(path, os.R_OK):
        state = "may not be read" if os.path.exists(path) else "does not exist"  # noqa: PTH110 - one import less
        raise ConfigError(field, f"{path} {state}")


def parse(config_class: type[C], argv: Sequence[str] | None) -> C:
    """Read a command line.

    Raises:
        SystemExit: with code 2 for what does not fit (a line on stderr names the flag), 0 after --help and
            where only the flags are to be checked.
    """
    parser = parser_of(config_class)
    values = _read_plainly(config_class, sys.argv[1:] if argv is None else argv)
    config = config_class(**(vars(parser.parse_args(argv)) if values is None else values))
    try:
        if config.in_cluster:
            config = as_in_cluster(config, _found_in_pod)
        if config.kubeconfig:
            config = as_in_kubeconfig(config, _read_in_file)
        config.validate()
    except ConfigError as error:
        parser.error(str(error))
    if config.check_flags:
        parser.exit()
    return config


def as_in_cluster(config: C, find: Callable[[], InCluster]) -> C:
    """Return a configuration with the apiserver and the identity of the pod that this process is in, as `find` finds them.

    Raises:
        ConfigError: this is no pod (`find` raises LookupError), or the flags say otherwise.
    """
    for field in ("server", "ca_file", "cert_file", "token_file"):
        if getattr(config, field):
            raise ConfigError("in_cluster", f"goes without {flag(field)}")
    try:
        server, ca_file, token_file = find()
    except LookupError as error:
        raise ConfigError("in_cluster", str(error)) from error
    return dataclasses.replace(
        config, server=server, transport="rest", ca_file=ca_file, token_file=token_file
    )


def as_in_kubeconfig(config: C, read: Callable[[str], InKubeconfig]) -> C:
    """Return a configuration with the apiserver and the identity of its kubeconfig, as `read` reads it.

    Raises:
        ConfigError: it cannot be used (`read` raises LookupError), or the flags say otherwise.
    """
    for field in ("in_cluster", "server", "ca_file", "cert_file", "token_file", "tls_server_name"):
        if getattr(config, field):
            raise ConfigError("kubeconfig", f"goes without {flag(field)}")
    try:
        found = read(config.kubeconfig)
    except LookupError as error:
        raise ConfigError("kubeconfig", str(error)) from error
    return dataclasses.replace(
        config,
        server=found.server,
        transport="rest",
        ca_file=found.ca_file,
        cert_file=found.cert_file,
        key_file=found.key_file,
        token_file=found.token_file,
        tls_server_name=found.server_name,
    )


def _read_in_file(file: str) -> InKubeconfig:
    from machinery.client.kubeconfig import read_kubeconfig

    return read_kubeconfig(file)


def _found_in_pod() -> InCluster:
    from machinery.client.in_cluster import in_cluster

    return in_cluster(os.environ)


def _read_plainly(config_class: type[ComponentConfig], argv: Sequence[str]) -> dict[str, Any] | None:
    """Read a command line that a program has written (`to_argv`); None where it is not just that, or a flag does not fit.

    A parser looks at each of its flags several times: in a process that was forked from the one that made it, memory
    that both had together becomes the process's own, two thirds of a MiB.
    """
    readers, required = _fields_of(_hashable(config_class))
    values: dict[str, Any] = {}
    for argument in argv:
        name, is_given, text = argument.partition("=")
        found = readers.get(name)
        if found is None or not is_given:
            return None
        field, read = found
        try:
            values[field] = read(text)
        except argparse.ArgumentTypeError:
            return None
    return values if required <= values.keys() else None


_Readers: TypeAlias = dict[str, tuple[str, Callable[[str], Any]]]


@functools.cache
def _fields_of(config_class: Any) -> tuple[_Readers, frozenset[str]]:
    """Return, by flag, each field and what reads it; and the fields that have to be given."""
    hints = get_type_hints(config_class)
    fields = dataclasses.fields(config_class)
    readers = {flag(field.name): (field.name, _reader(hints[field.name])) for field in fields}
    return readers, frozenset(field.name for field in fields if _is_required(field))


def _hashable(type_: Any) -> Any:
    """Return a type, which is one: mypy does not see it of `type[T]`."""
    return type_


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


_parsers: dict[type[ComponentConfig], argparse.ArgumentParser] = {}


def parser_of(config_class: type[ComponentConfig]) -> argparse.ArgumentParser:
    """Return the one parser of a configuration's command line; who forks processes makes it before it forks."""
    parser = _parsers.get(config_class)
    if parser is None:
        parser = _parsers[config_class] = _make_parser(config_class)
        _fields_of(_hashable(config_class))
    return parser


def _make_parser(config_class: type[ComponentConfig]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {config_class.__module__.split('.', maxsplit=1)[0]}",
        allow_abbrev=False,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    hints = get_type_hints(config_class)
    for field in dataclasses.fields(config_class):
        _add(parser, field, hints[field.name])
    return parser


def to_argv(config: ComponentConfig) -> list[str]:
    """Return a configuration as the command line that `parse` reads back; defaults are left out."""
    argv: list[str] = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if value != field.default:
            argv.append(f"{flag(field.name)}={_text(value)}")
    return argv


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(_text(item) for item in value)
    return str(value)


def _add(parser: argparse.ArgumentParser, field: dataclasses.Field[Any], hint: Any) -> None:
    options: dict[str, Any] = {"dest": field.name, "type": _reader(hint), "metavar": _placeholder(hint)}
    options["help"] = field.metadata.get("help", "").replace("%", "%%") or None
    if _is_required(field):
        options["required"] = True
    elif field.default is not MISSING:
        options["default"] = field.default
    elif field.default_factory is not MISSING:
        options["default"] = field.default_factory()
    if hint is bool:
        options |= {"nargs": "?", "const": True}
    parser.add_argument(flag(field.name), **options)


def _reader(hint: Any) -> Callable[[str], Any]:
    """Return the function that reads a flag's text; its errors are argparse.ArgumentTypeError."""
    origin = get_origin(hint)
    if origin is Literal:
        return _choice(get_args(hint))
    if origin is tuple:
        return _many(_reader(get_args(hint)[0]))
    if origin in {Union, types.UnionType}:  # X | None: None is only ever the default
        return _reader(next(arg for arg in get_args(hint) if arg is not type(None)))
    return _SCALARS[hint]


def _placeholder(hint: Any) -> str:
    origin = get_origin(hint)
    if origin is Literal:
        return "|".join(get_args(hint))
    if origin is tuple:
        return _placeholder(get_args(hint)[0]) + ",..."
    return getattr(hint, "__name__", "value").upper()


def _choice(allowed: tuple[Any, ...]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if text not in allowed:
            raise argparse.ArgumentTypeError(f"has to be one of {', '.join(allowed)}, not {text!r}")
        return text

    return read


def _many(read_one: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    def read(text: str) -> tuple[Any, ...]:
        return tuple(read_one(part.strip()) for part in text.split(",") if part.strip())

    return read


def _number(kind: type[int | float]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            word = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"has to be {word}, not {text!r}") from None

    return read


def _truth(text: str) -> bool:
    if text not in {"true", "false"}:
        raise argparse.ArgumentTypeError(f"has to be true or false, not {text!r}")
    return text == "true"


_SCALARS: dict[Any, Callable[[str], Any]] = {str: str, int: _number(int), float: _number(float), bool: _truth}

"""The cluster file: a cluster as a document, read into the options of `up`. docs/cluster-file.md describes each field.

The shell (`kubarium.cluster_file`) hands in the document with the line of each value; what is wrong is named with its line
and field. Each value is checked where it stands, by the rules that the command line's options have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast

from kubarium.core.handed_flags import KUBELET_FLAGS, PLANE_FLAGS
from kubarium.core.options.options import DeclaredNode, Options
from kubarium.core.options.up_options import OPTIONS, UpOptions
from kubarium.core.spec import MAX_NODES, NO_TAINT, ClusterSpec, checked
from kubarium.core.spec_rules import ZONE, SpecError

_CAPITAL: Final = re.compile("[A-Z]")
API_VERSION: Final = "kubarium.dev/v1alpha1"
KIND: Final = "Cluster"


class FileError(ValueError):
    """The document describes no cluster: where, in which field, and why."""

    def __init__(self, line: int, field: str, why: str) -> None:
        super().__init__(f"{line}: {field}: {why}" if field else f"{line}: {why}")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value: as it was written, and as YAML reads it (text, number, truth value, nothing)."""

    line: int
    text: str
    value: object


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    line: int
    items: tuple[Written, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Fields with values, in the order in which they stand; a key may come twice, which is refused here."""

    line: int
    entries: tuple[tuple[Written, Written], ...]


Written = Scalar | Sequence | Table
_Reader = Callable[[Written, str], Any]  # of a value and its path; raises FileError


@dataclass(frozen=True, slots=True)
class ClusterFile:
    """What a document says: a name ("" where it has none) and options."""

    name: str = ""
    options: Options = field(default_factory=Options.of)


def read_document(document: Written) -> ClusterFile:
    """Read a document.

    Raises:
        FileError: it describes no cluster.
    """
    read = _read(document, "", _TOP)
    for key, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
        if key not in read:
            raise FileError(document.line, key, f"is needed: {wanted}")
    said = _said(read)
    if "time_scale" in said:  # how large it may be depends on the profile
        with _placed(_value(document, "timeScale"), "timeScale"):
            Options.of(profile=said.get("profile", "default"), time_scale=said["time_scale"]).new_spec("any")
    return ClusterFile(read.get("name", ""), Options(said, read.get("nodes")))


def _said(read: Mapping[str, Any]) -> UpOptions:
    """Return the options that a document's fields are."""
    said = {_CAPITAL.sub(r"_\g<0>", name).lower(): value for name, value in read.items()}
    said |= {
        name.replace("ExtraArgs", "_args"): value for name, value in said.pop("control_plane", {}).items()
    }
    hollow = said.pop("hollow_nodes", {})
    said |= {f"hollow_{'nodes' if name == 'count' else name}": value for name, value in hollow.items()}
    return cast(
        "UpOptions", {name: value for name, value in said.items() if name in OPTIONS and name != "nodes"}
    )


def _value(table: Written, name: str) -> Written:
    """Return a table's value of that name, which it has."""
    entries = table.entries if isinstance(table, Table) else ()
    return next(value for key, value in entries if isinstance(key, Scalar) and key.text == name)


def _read(written: Written, path: str, fields: Mapping[str, _Reader]) -> dict[str, Any]:
    """Read the fields of a table."""
    return {name: fields[name](value, where) for name, value, where in _entries(written, path, fields)}


def _entries(
    written: Written, path: str, fields: Mapping[str, object] | None = None
) -> Iterator[tuple[str, Written, str]]:
    """List (key, value, path of the value) of a table whose keys are known; without `fields` any are."""
    if not isinstance(written, Table):
        raise FileError(written.line, path, f"has to be fields with values, not {_what(written)}")
    seen: set[str] = set()
    for key, value in written.entries:
        name = key.text if isinstance(key, Scalar) else _what(key)
        where = f"{path}.{name}" if path else name
        if not isinstance(key, Scalar) or (fields is not None and name not in fields):
            known = f" (it has: {', '.join(fields)})" if fields else ""
            raise FileError(key.line, where, f"there is no such field{known}")
        if name in seen:
            raise FileError(key.line, where, "is there twice")
        seen.add(name)
        yield name, value, where


def _constant(wanted: str) -> _Reader:
    def read(written: Written, path: str) -> str:
        if (found := _text(written, path)) != wanted:
            raise FileError(written.line, path, f'has to be {wanted}, not "{found}"')
        return found

    return read


def _text(written: Written, path: str) -> str:
    if not isinstance(written, Scalar) or not isinstance(written.value, str):
        hint = f' (write "{written.text}")' if isinstance(written, Scalar) and written.text else ""
        raise FileError(written.line, path, f"has to be text, not {_what(written)}{hint}")
    return written.value


def _quantity(written: Written, path: str) -> str:
    """Read a quantity, which may be written as a number."""
    if isinstance(written, Scalar) and isinstance(written.value, int | float) and not _is_truth(written):
        return written.text
    return _text(written, path)


def _number(written: Written, path: str) -> float:
    if not isinstance(written, Scalar) or not isinstance(written.value, int | float) or _is_truth(written):
        raise FileError(written.line, path, f"has to be a number, not {_what(written)}")
    try:
        return float(written.value)
    except OverflowError as error:
        raise FileError(written.line, path, "is too large") from error


def _whole(written: Written, path: str) -> int:
    if not isinstance(written, Scalar) or not isinstance(written.value, int) or _is_truth(written):
        raise FileError(written.line, path, f"has to be a whole number, not {_what(written)}")
    return written.value


def _truth(written: Written, path: str) -> bool:
    if not isinstance(written, Scalar) or not isinstance(written.value, bool):
        raise FileError(written.line, path, f"has to be true or false, not {_what(written)}")
    return written.value


def _is_truth(written: Scalar) -> bool:
    return isinstance(written.value, bool)


def _what(written: Written) -> str:
    match written:
        case Sequence():
            return "a list"
        case Table():
            return "fields with values"
        case Scalar(value=None):
            return "nothing"
        case Scalar(text=text, value=value):
            return f'"{text}"' if isinstance(value, str) else text


def _option(name: str, read: _Reader | None = None) -> _Reader:
    """Return a reader of an option's value, which also checks it as that option is checked."""
    read = read or _OF_TYPE[OPTIONS[name].kind]

    def checking(written: Written, path: str) -> Any:
        value = read(written, path)
        with _placed(written, path):
            Options.of(**{name: value}).new_spec("any")
        return value

    return checking


@contextmanager
def _placed(written: Written, path: str) -> Iterator[None]:
    """Turn what is wrong with a spec into what is wrong at a place of the document."""
    try:
        yield
    except SpecError as error:
        raise FileError(written.line, path, error.why) from error


def _cluster_name(written: Written, path: str) -> str:
    name = _text(written, path)
    with _placed(written, path):
        checked(ClusterSpec(name=name))
    return name


def _nodes(written: Written, path: str) -> tuple[DeclaredNode, ...]:
    if not isinstance(written, Sequence):
        raise FileError(written.line, path, f"has to be a list, not {_what(written)}")
    spec, declared = ClusterSpec(), []
    for number, item in enumerate(written.items):
        read = _read(item, f"{path}[{number}]", _NODE)
        if "name" in read and read.get("count", 1) != 1:
            raise FileError(item.line, f"{path}[{number}].count", "a node that has a name is one node")
        for _ in range(read.get("count", 1)):
            with _placed(item, f"{path}[{number}]"):
                spec = spec.with_node(read.get("name", ""))
            declared.append(_declared(spec.nodes[-1].name, read))
    return tuple(declared)


def _declared(name: str, read: dict[str, Any]) -> DeclaredNode:
    zone = {ZONE: read["zone"]} if "zone" in read else {}
    return DeclaredNode(
        name=name,
        cpu=read.get("cpu", ""),
        memory=read.get("memory", ""),
        labels={**read.get("labels", {}), **zone},
        taints=read.get("taints", ()),
        kubelet_args=read.get("kubeletExtraArgs", {}),
        bootstrap=read.get("bootstrap", False),
    )


def _count(written: Written, path: str) -> int:
    count = _whole(written, path)
    if not 1 <= count <= MAX_NODES:
        raise FileError(written.line, path, f"has to be from 1 to {MAX_NODES}, not {count}")
    return count


def _of_node(name: str, read: _Reader, as_field: Callable[[Any], Any] = lambda value: value) -> _Reader:
    """Return a reader that also checks a value as that field of a node is checked."""

    def checking(written: Written, path: str) -> Any:
        value = read(written, path)
        with _placed(written, path):
            ClusterSpec().with_node(**{name: as_field(value)})
        return value

    return checking


def _labels(written: Written, path: str) -> dict[str, str]:
    labels = {}
    for key, value, where in _entries(written, path):
        if key == ZONE:
            raise FileError(value.line, where, "is written as the field zone")
        labels[key] = _of_node("labels", _text, partial(_label, key))(value, where)
    return labels


def _label(key: str, value: str) -> dict[str, str]:
    return {key: value}


def _taints(written: Written, path: str) -> tuple[str, ...]:
    if not isinstance(written, Sequence):
        raise FileError(written.line, path, f"has to be a list, not {_what(written)}")
    read = _of_node("taints", _text, lambda text: (text,))
    return tuple(read(item, f"{path}[{number}]") for number, item in enumerate(written.items))


def _published(written: Written, path: str) -> tuple[str, ...]:
    if not isinstance(written, Sequence):
        raise FileError(written.line, path, f"has to be a list, not {_what(written)}")
    found: list[str] = []
    for number, item in enumerate(written.items):
        where = f"{path}[{number}]"
        found.append(_text(item, where))
        with _placed(item, where):
            Options.of(publish=found).new_spec("any")
    return tuple(found)


def _flags(known: Iterable[str]) -> _Reader:
    flags: Mapping[str, _Reader] = dict.fromkeys(known, _quantity)
    return lambda written, path: _read(written, path, flags)


_OF_TYPE: Final[Mapping[type, _Reader]] = {int: _whole, float: _number, str: _text, bool: _truth}
_PLANE: Final[Mapping[str, _Reader]] = {
    **{name: _option(name) for name in ("etcd", "apiservers", "schedulers", "controllers")},
    **{f"{program}ExtraArgs": _flags(known) for program, known in PLANE_FLAGS.items()},
}
_HOLLOW: Final[Mapping[str, _Reader]] = {
    "count": _option("hollow_nodes"),
    "cpu": _option("hollow_cpu", _quantity),
    "memory": _option("hollow_memory", _quantity),
    "pods": _option("hollow_pods"),
    "taints": lambda written, path: _taints(written, path) or (NO_TAINT,),
}
_KUBELET: Final[Mapping[str, _Reader]] = dict.fromkeys(KUBELET_FLAGS, _quantity)
_NODE: Final[Mapping[str, _Reader]] = {
    "name": _of_node("name", _text),
    "count": _count,
    "cpu": _of_node("cpu", _quantity),
    "memory": _of_node("memory", _quantity),
    "zone": _of_node("labels", _text, lambda zone: {ZONE: zone}),
    "labels": _labels,
    "taints": _taints,
    "bootstrap": _truth,
    "kubeletExtraArgs": lambda written, path: _read(written, path, _KUBELET),
}
_TOP: Final[Mapping[str, _Reader]] = {
    "apiVersion": _constant(API_VERSION),
    "kind": _constant(KIND),
    "name": _cluster_name,
    "runtime": _option("runtime"),
    "profile": _option("profile"),
    "timeScale": _number,
    "apiPort": _option("api_port"),
    "processMemory": _option("process_memory", _quantity),
    "registryPort": _option("registry_port"),
    "mtu": _option("mtu"),
    "listen": _option("listen"),
    "ipFamilies": _option("ip_families"),
    "cniConf": _option("cni_conf"),
    "dns": _option("dns"),
    "publish": _published,
    "loadBalancerPool": _option("load_balancer_pool"),
    "accessLog": _option("access_log"),
    "controlPlane": lambda written, path: _read(written, path, _PLANE),
    "nodes": _nodes,
    "hollowNodes": lambda written, path: _read(written, path, _HOLLOW),
}


def field_names() -> list[str]:
    """List every field of the document, as its documentation names them."""
    plane = [f"controlPlane.{name}" for name in _PLANE]
    nodes = [f"nodes[].{name}" for name in _NODE]
    hollow = [f"hollowNodes.{name}" for name in _HOLLOW]
    return [*_TOP, *plane, *nodes, *hollow]

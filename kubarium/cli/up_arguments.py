"""The arguments of `kubarium up`, and those that it shares with commands that start clusters or add nodes.

Each option is described in `kubarium.core.options.up_options`; here it becomes an argument, and what was given options again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from kubarium.cli import values
from kubarium.core.options.option import Option, flag_of
from kubarium.core.options.options import Options
from kubarium.core.options.up_options import (
    OPTIONS,
    AllNodes,
    ControlPlane,
    EachNode,
    HollowNodes,
    Network,
    NodeCount,
    Times,
)
from kubarium.patience import START_PATIENCE_S, Patience, Progress

if TYPE_CHECKING:  # argparse has no public name for it
    from argparse import _ActionsContainer

Arguments: TypeAlias = "_ActionsContainer"  # a parser, or a group of one

_GROUPS = {
    "nodes": (NodeCount, EachNode, AllNodes),
    "hollow nodes (docs/hollow-nodes.md)": (HollowNodes,),
    "control plane": (ControlPlane,),
    "network (docs/networking.md)": (Network,),
    "times": (Times,),
}
_READERS: Mapping[type, Callable[[str], Any]] = {int: values.count, float: float, Mapping: values.pair}


def describe(sub: argparse.ArgumentParser) -> None:
    """Describe what `kubarium up` takes."""
    sub.add_argument(
        "-f", "--file", metavar="FILE",
        help="a cluster file (docs/cluster-file.md; - is standard input); what is said beside it wins",
    )  # fmt: skip
    waiting(sub)
    for title, subjects in _GROUPS.items():
        group = sub.add_argument_group(title)
        for subject in subjects:
            _describe_options(group, subject)


def waiting(sub: Arguments) -> None:
    """Describe how long a command waits for nodes."""
    sub.add_argument(
        "--timeout",
        type=float,
        default=START_PATIENCE_S,
        metavar="SECONDS",
        help="how long to wait for the nodes",
    )
    sub.add_argument("--no-wait", action="store_true", help="return as soon as the processes start")


def each_node(sub: Arguments) -> None:
    """Describe what each node that comes has: capacity, labels, taints, flags of its kubelet."""
    _describe_options(sub, EachNode)


def read_options(arguments: argparse.Namespace) -> Options:
    """Return the options of `up` that were given; a command that has none of them gave none."""
    return Options.of(**cast("Any", _read(arguments, OPTIONS)))


def read_each_node(arguments: argparse.Namespace) -> EachNode:
    """Return what was given of the options of each node."""
    return cast("EachNode", _read(arguments, EachNode.__annotations__))


def read_patience(arguments: argparse.Namespace, progress: Progress) -> Patience:
    """Return how long the command is to wait."""
    return Patience(wait=not arguments.no_wait, timeout_s=arguments.timeout, progress=progress)


def _read(arguments: argparse.Namespace, names: Mapping[str, object]) -> dict[str, Any]:
    given = {name: getattr(arguments, name, None) for name in names}
    return {
        name: dict(value) if OPTIONS[name].kind is Mapping else value
        for name, value in given.items()
        if value is not None
    }


def _describe_options(sub: Arguments, subject: type) -> None:
    for name in subject.__annotations__:
        option = OPTIONS[name]
        sub.add_argument(flag_of(name, option), dest=name, help=option.help, **_form(option))


def _form(option: Option) -> dict[str, Any]:
    """Return how an option is written, in argparse's words."""
    if option.kind is bool:
        return {"action": "store_true", "default": None}
    if option.choices:
        return {"choices": option.choices}
    form: dict[str, Any] = {"metavar": option.value, "type": _READERS.get(option.kind, str)}
    if option.separator:
        return form | {"type": partial(values.parted, option.separator)}
    if option.alone is not None:
        return form | {"nargs": "?", "const": option.alone}
    return form | {"action": "append"} if option.kind in {Sequence, Mapping} else form

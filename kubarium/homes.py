"""Where the clusters of this user live, and which slot each has."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from kubarium.core.layout import SOCKET_PATH_LIMIT, Layout
from kubarium.core.spec import MAX_SLOTS, ClusterSpec, checked, is_cluster_name
from kubarium.core.spec_rules import SpecError
from kubarium.errors import KubariumError

DEFAULT_NAME = "kubarium"
_LONGEST_SOCKET = 80  # a node's name may be 63 long, with "kubelet@" and ".health" around it


_RESERVED = frozenset({"run", "compose"})  # the folder of sockets, and the cluster of docker-compose.yml


def default_home() -> Path:
    """Return the folder of all clusters: $KUBARIUM_HOME, else ~/.kubarium."""
    return Path(os.environ.get("KUBARIUM_HOME") or Path.home() / ".kubarium").absolute()


def current_name(home: Path | None = None) -> str:
    """Return the cluster that commands without --name are about."""
    try:
        name = _current(home).read_text().strip()
    except (OSError, ValueError):
        return DEFAULT_NAME
    return name if is_cluster_name(name) else DEFAULT_NAME


def set_current(name: str, home: Path | None = None) -> None:
    """Make a cluster the one that commands without --name are about.

    Raises:
        KubariumError: the folder of all clusters cannot be written.
    """
    file = _current(home)
    try:
        file.write_text(f"{name}\n")
    except OSError as error:
        raise KubariumError(f"{file} cannot be written: {error.strerror or error}") from error


def forget_current(name: str, home: Path | None = None) -> None:
    """Make the default the current cluster again, where the one of that name was.

    Raises:
        OSError: the folder of all clusters cannot be written.
    """
    if current_name(home) == name:
        _current(home).unlink(missing_ok=True)


def _current(home: Path | None) -> Path:
    return (home or default_home()) / ".current"


def layout_of(name: str, home: Path | None = None) -> Layout[Path]:
    """Return the folders of a cluster, whether it exists or not.

    Raises:
        KubariumError: it is no name for a cluster, or their path is too long for sockets.
    """
    if name in _RESERVED:
        raise KubariumError(f'--name: "{name}" is a name of Kubarium\'s own; choose another one')
    try:
        checked(ClusterSpec(name=name))
    except SpecError as error:
        raise KubariumError(str(error)) from error
    base = home or default_home()
    layout = Layout(base / name, _run_folder(base) / name)
    if len(str(layout.run)) + _LONGEST_SOCKET > SOCKET_PATH_LIMIT + 63:
        raise KubariumError(
            f"{layout.run} is too long a path for sockets; set KUBARIUM_HOME to a shorter one"
        )
    return layout


def read_spec(layout: Layout[Path]) -> ClusterSpec | None:
    """Read a cluster's spec; None where there is no such cluster.

    Raises:
        KubariumError: the file is damaged.
    """
    try:
        spec = checked(msgspec.json.decode(layout.spec.read_bytes(), type=ClusterSpec))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(layout, str(error)) from error
    if spec.name != layout.home.name:
        raise _damaged(layout, f'it is that of a cluster "{spec.name}"')
    return spec


def _damaged(layout: Layout[Path], why: str) -> KubariumError:
    name = layout.home.name
    return KubariumError(
        f"{layout.spec} is damaged ({why}); `kubarium down --name {name}` removes what is left of it"
    )


def cluster_names(home: Path | None = None) -> list[str]:
    """Name the clusters that have a spec, be it damaged."""
    names = (path.parent.name for path in (home or default_home()).glob("*/spec.json"))
    return sorted(name for name in names if is_cluster_name(name) and name not in _RESERVED)


def free_slot(taken: set[int], ports_are_free: Callable[[int], bool] = lambda _slot: True) -> int:
    """Choose the lowest slot that no cluster has and whose own ports nobody else listens on.

    Raises:
        KubariumError: there is none.
    """
    for slot in range(MAX_SLOTS):
        if slot not in taken and ports_are_free(slot):
            return slot
    raise KubariumError(f"all {MAX_SLOTS} slots are taken: `kubarium down` a cluster first")


def taken_slots(home: Path | None = None) -> set[int]:
    """List the slots of the clusters that have a spec, and those whose cable lies on this machine.

    The cluster of a damaged spec, where it runs, is known by its cable and its ports.
    """
    cables = Path("/sys/class/net").glob("kubarium[0-9]*")
    numbers = (cable.name.removeprefix("kubarium") for cable in cables)
    slots = {int(number) for number in numbers if number.isdecimal()}
    for name in cluster_names(home):
        with suppress(KubariumError):
            spec = read_spec(layout_of(name, home))
            slots |= {spec.slot} if spec else set()
    return slots


def _run_folder(base: Path) -> Path:
    if base == Path.home() / ".kubarium" and os.geteuid() == 0:
        return Path("/run/kubarium")
    return base / "run"

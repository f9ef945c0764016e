"""Where the clusters of this user live, and which slot each has."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from kubarium.core.layout import SOCKET_PATH_LIMIT, Layout
from kubarium.core.spec import MAX_SLOTS, ClusterSpec
from kubarium.errors import KubariumError

_LONGEST_SOCKET = 80  # a node's name may be 63 long, with "kubelet@" and ".health" around it


def default_home() -> Path:
    """Return the folder of all clusters: $KUBARIUM_HOME, else ~/.kubarium."""
    return Path(os.environ.get("KUBARIUM_HOME") or Path.home() / ".kubarium").absolute()


def layout_of(name: str, home: Path | None = None) -> Layout[Path]:
    """Return the folders of a cluster, whether it exists or not.

    Raises:
        KubariumError: their path is too long for sockets.
    """
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
        return msgspec.json.decode(layout.spec.read_bytes(), type=ClusterSpec)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise KubariumError(
            f"{layout.spec} is damaged ({error}); remove {layout.home} and start anew"
        ) from error


def cluster_names(home: Path | None = None) -> list[str]:
    """Name the clusters that have a spec."""
    return sorted(path.parent.name for path in (home or default_home()).glob("*/spec.json"))


@contextmanager
def locked(home: Path | None = None) -> Iterator[None]:
    """Keep other `kubarium` commands from choosing a slot at the same time."""
    folder = home or default_home()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def machine_locked() -> Iterator[None]:
    """Keep clusters of other users and folders from choosing a slot at the same time."""
    folder = os.open(
        "/run", os.O_RDONLY | os.O_DIRECTORY
    )  # a folder that everybody may open can be locked by all
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


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

    Raises:
        KubariumError: a spec is damaged.
    """
    specs = (read_spec(layout_of(name, home)) for name in cluster_names(home))
    cables = Path("/sys/class/net").glob("kubarium[0-9]*")
    return {spec.slot for spec in specs if spec} | {
        int(cable.name.removeprefix("kubarium")) for cable in cables
    }


def _run_folder(base: Path) -> Path:
    if base == Path.home() / ".kubarium" and os.geteuid() == 0:
        return Path("/run/kubarium")
    return base / "run"

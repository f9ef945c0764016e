"""The user's own kubeconfig: a cluster's contexts are put into it on request, and taken out when the cluster goes.

As kubectl does it, the file is locked by another one beside it, `<file>.lock`, which only one process can make.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kubarium import homes
from kubarium.core.kubeconfig import merged, without
from kubarium.core.layout import Layout
from kubarium.errors import KubariumError
from machinery.process.clock import WALL

_LOCK_PATIENCE_S = 5.0
_LOOK_S = 0.05


def user_file() -> Path:
    """Return the user's kubeconfig: the first that KUBECONFIG names and that is no cluster's own, else ~/.kube/config."""
    named = [Path(part).absolute() for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    others = [path for path in named if homes.default_home() not in path.parents]
    return others[0] if others else Path.home() / ".kube" / "config"


def merge(layout: Layout[Path], file: Path) -> None:
    """Put a cluster's contexts into a kubeconfig and make its first one current. Idempotent.

    Raises:
        KubariumError: the file cannot be read or written; the message names it.
    """
    own = _read(layout.kubeconfig)
    _change(file, lambda content: merged(content, own))
    known = merged_files(layout)
    if file not in known:
        layout.merged.write_text("".join(f"{path}\n" for path in [*known, file]))


def unmerge(layout: Layout[Path], file: Path) -> None:
    """Remove a cluster's contexts from a kubeconfig; nothing happens where there are none.

    Raises:
        KubariumError: the file cannot be read or written; the message names it.
    """
    own = _read(layout.kubeconfig)
    if file.exists():
        _change(file, lambda content: without(content, own))


def merged_files(layout: Layout[Path]) -> list[Path]:
    """List the kubeconfigs that have a cluster's contexts."""
    try:
        return [Path(line) for line in layout.merged.read_text().splitlines() if line]
    except OSError:
        return []


def _change(file: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    import yaml  # which most commands do without

    target = file.resolve()  # a link stays one
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(target):
            content = _read(target) if target.exists() else {"apiVersion": "v1", "kind": "Config"}
            mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
            draft = target.with_name(f"{target.name}.kubarium-{os.getpid()}")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
            with os.fdopen(descriptor, "w") as written:
                written.write(yaml.safe_dump(change(content), sort_keys=False))
            draft.replace(target)
    except OSError as error:
        raise KubariumError(f"{target} cannot be changed: {error.strerror or error}") from error


def _read(file: Path) -> dict[str, Any]:
    import yaml  # which most commands do without

    try:
        content = yaml.safe_load(file.read_bytes())
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise KubariumError(f"{file} cannot be read as a kubeconfig: {error}") from error
    content = {} if content is None else content
    lists = (
        [content.get(key) or [] for key in ("clusters", "users", "contexts")]
        if isinstance(content, dict)
        else [None]
    )
    if not all(isinstance(each, list) and all(isinstance(item, dict) for item in each) for each in lists):
        raise KubariumError(
            f"{file} is no kubeconfig: clusters, users and contexts have to be lists of objects"
        )
    return dict(content)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    lock = file.with_name(f"{file.name}.lock")
    over_s = WALL.monotonic_wall() + _LOCK_PATIENCE_S
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            break
        except FileExistsError as error:
            if WALL.monotonic_wall() > over_s:
                raise KubariumError(
                    f"{file} is being changed by somebody else; if nobody is at it, remove {lock}"
                ) from error
            WALL.block(_LOOK_S)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)

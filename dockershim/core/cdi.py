"""Devices of the Container Device Interface: what their specs say that a container gets, as the engine can give it.

https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md
A device is called vendor.com/class=name. What one says that the engine cannot do is refused, by name: hooks of the runtime, and owners and
modes of device files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from machinery.model.errors import BadRequest, NotImplementedHere

_NOT_BUILT: Final = {
    "hooks": "the engine runs no hooks",
    "intelRdt": "the engine has no Intel RDT",
    "netDevices": "the engine moves no network devices",
}
_NOT_OF_DEVICES: Final = ("uid", "gid", "fileMode")
_MOUNT_OPTIONS: Final = frozenset({"bind", "rbind", "ro", "rw", "nosuid", "nodev", "private", "rprivate"})


@dataclass(slots=True)
class Edits:
    """What a container gets beside what it is configured with."""

    env: list[str] = field(default_factory=list)
    devices: list[dict[str, str]] = field(default_factory=list)
    mounts: list[dict[str, Any]] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)


NO_EDITS: Final = Edits()


@dataclass(frozen=True, slots=True)
class SpecFile:
    """A spec file, and its folder's rank: the higher one counts."""

    path: str
    rank: int
    document: Any
    problem: str = ""  # why it cannot be read


def edits_for(names: Sequence[str], files: Iterable[SpecFile]) -> Edits:
    """Return what some devices bring; what a whole spec brings comes once, before its devices.

    Raises:
        BadRequest: a device is in no spec, or in two of one rank; or the spec says what has no meaning.
        NotImplementedHere: it says what the engine cannot do.
    """
    every = list(files)
    found, edits, seen = _devices(every), Edits(), set[int]()
    for name in dict.fromkeys(names):
        known = found.get(name, [])
        if len(known) != 1:
            raise BadRequest(_unresolved(name, known, every))
        [(file, device)] = known
        if id(file) not in seen:
            seen.add(id(file))
            _add(edits, file.document.get("containerEdits") or {}, f"{name} ({file.path})")
        _add(edits, device.get("containerEdits") or {}, f"{name} ({file.path})")
    return edits


def _devices(files: Iterable[SpecFile]) -> dict[str, list[tuple[SpecFile, Any]]]:
    """Return the devices of all specs by their names; of several ranks the highest."""
    found: dict[str, list[tuple[SpecFile, Any]]] = {}
    for file in sorted(files, key=lambda each: -each.rank):
        document = file.document
        if not isinstance(document, Mapping):
            continue
        for device in document.get("devices") or ():
            known = found.setdefault(f"{document.get('kind', '')}={device.get('name', '')}", [])
            if not known or known[0][0].rank == file.rank:
                known.append((file, device))
    return found


def _unresolved(name: str, known: Sequence[tuple[SpecFile, Any]], files: Iterable[SpecFile]) -> str:
    text = f"CDI device injection failed: unresolvable CDI devices {name}"
    if known:
        return f"{text}: it is in {' and '.join(file.path for file, _ in known)}"
    broken = [f"{each.path}: {each.problem}" for each in files if each.problem]
    return f"{text} (not read: {'; '.join(broken)})" if broken else text


def _add(edits: Edits, said: Mapping[str, Any], what: str) -> None:
    for name, why in _NOT_BUILT.items():
        if said.get(name):
            raise NotImplementedHere(f"CDI device {what}: {name} is not built: {why}")
    edits.env += said.get("env") or []
    edits.devices += [_node(each, what) for each in said.get("deviceNodes") or ()]
    edits.mounts += [_mount(each, what) for each in said.get("mounts") or ()]
    edits.groups += [str(each) for each in said.get("additionalGids") or () if each]


def _node(node: Mapping[str, Any], what: str) -> dict[str, str]:
    path = node.get("path")
    if not path:
        raise BadRequest(f"CDI device {what}: deviceNodes: path is needed")
    for name in _NOT_OF_DEVICES:
        if node.get(name) is not None:
            text = "device files have the owner and mode that they have on the node"
            raise NotImplementedHere(f"CDI device {what}: deviceNodes[{path}].{name} is not built: {text}")
    return {
        "PathOnHost": node.get("hostPath") or path,
        "PathInContainer": path,
        "CgroupPermissions": node.get("permissions") or "rwm",
    }


def _mount(mount: Mapping[str, Any], what: str) -> dict[str, Any]:
    source, target = mount.get("hostPath"), mount.get("containerPath")
    if not source or not target:
        raise BadRequest(f"CDI device {what}: mounts: hostPath and containerPath are needed")
    options = set(mount.get("options") or ())
    if unknown := sorted(options - _MOUNT_OPTIONS):
        raise NotImplementedHere(f"CDI device {what}: mounts[{target}].options {unknown[0]} is not built")
    if mount.get("type") not in {None, "", "bind", "none"}:
        raise NotImplementedHere(f"CDI device {what}: mounts[{target}].type {mount['type']} is not built")
    return {"Type": "bind", "Source": source, "Target": target, "ReadOnly": "ro" in options}

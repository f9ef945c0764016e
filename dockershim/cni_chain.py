"""Takes a pod through the plugins of a network: each is told what the one before has answered (CNI specification, section 3)."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dockershim.core import cni
from dockershim.core.cni_conf import NetworkConf, only_filter, valid_attachments
from dockershim.seam_plugins import RunPlugin
from machinery.model.errors import InternalError, NotImplementedHere

_SEARCH_PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A sandbox on a network, as plugins are told of it."""

    conf: NetworkConf
    sandbox_id: str
    netns: str  # "" where its processes are gone
    wishes: Mapping[str, Any]
    arguments: str  # CNI_ARGS


class PluginError(InternalError):
    """A plugin refused; `plugin_code` is its own."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.plugin_code = code


class Chain:
    """Runs the plugins of networks."""

    def __init__(self, folders: Sequence[str], run_plugin: RunPlugin, own: Path) -> None:
        """`own`: a folder for what plugins find instead of the system's programs."""
        self._folders = [folder for folder in folders if Path(folder).is_dir()]
        self._run_plugin = run_plugin
        self._own = own

    def missing(self, conf: NetworkConf) -> list[str]:
        """List the programs without which no pod can be connected."""
        needed = NetworkConf.programs_of(conf.busy({}))
        return [name for name in needed if not self._find(name)]

    async def add(self, attachment: Attachment) -> dict[str, Any]:
        """Connect a sandbox; return the last plugin's answer.

        Raises:
            PluginError: one refuses, and why.
            NotImplementedHere: one is not installed.
            DeadlineExceeded: one does not end.
        """
        result: dict[str, Any] | None = None
        for plugin in attachment.conf.busy(attachment.wishes):
            result = await self._run("ADD", plugin, attachment, result)
        return result or {}

    async def delete(self, attachment: Attachment, result: dict[str, Any] | None) -> None:
        """Disconnect a sandbox, the last plugin first; `result` is what `add` returned, where that is known. Idempotent.

        Raises:
            PluginError, NotImplementedHere, DeadlineExceeded: as `add`.
        """
        for plugin in reversed(attachment.conf.busy(attachment.wishes)):
            await self._run("DEL", plugin, attachment, result)

    async def check(self, attachment: Attachment, result: dict[str, Any]) -> None:
        """Ask the plugins whether all is as they made it.

        Raises:
            PluginError: it is not, or one cannot say (`cni.is_broken` tells the two apart).
            NotImplementedHere, DeadlineExceeded: as `add`.
        """
        for plugin in attachment.conf.busy(attachment.wishes):
            path = self._path_of(only_filter(plugin, result))
            await self._run("CHECK", plugin, attachment, result, path=path)

    async def collect(self, conf: NetworkConf, sandbox_ids: Sequence[str]) -> None:
        """Have the plugins drop what belongs to none of these sandboxes.

        Raises:
            PluginError, NotImplementedHere, DeadlineExceeded: as `add`.
        """
        nobody = Attachment(conf, "", "", {}, "")
        for plugin in conf.plugins:
            await self._run("GC", {**plugin, **valid_attachments(sandbox_ids, cni.INTERFACE)}, nobody, None)

    def _find(self, plugin: str) -> str:
        return shutil.which(plugin, path=os.pathsep.join(self._folders)) or ""

    async def _run(
        self,
        command: str,
        plugin: Mapping[str, Any],
        attachment: Attachment,
        previous: dict[str, Any] | None,
        *,
        path: str = "",
    ) -> dict[str, Any]:
        name = str(plugin["type"])
        program = self._find(name)
        if not program:
            raise NotImplementedHere(
                f"the CNI plugin {name} is not installed (package containernetworking-plugins)"
            )
        config = attachment.conf.told(plugin, attachment.wishes, previous)
        code, output = await self._run_plugin(
            program, json.dumps(config).encode(), self._environment(command, attachment, path)
        )
        try:
            answer: dict[str, Any] = json.loads(output) if output.strip() else {}
        except ValueError:
            answer = {"msg": output.decode(errors="replace").strip()}
        if code:
            why = cni.error_text(answer) or f"it ended with {code}"
            whom = f" for {attachment.sandbox_id[:12]}" if attachment.sandbox_id else ""
            raise PluginError(f"CNI plugin {name}: {command}{whom}: {why}", int(answer.get("code") or code))
        return answer

    def _path_of(self, only: str) -> str:
        """Return a search path with one program alone, "" for the system's own."""
        found = shutil.which(only, path=_system_path()) if only else None
        if found is None:
            return ""
        link = self._own / only / only
        if not link.is_symlink() or str(link.readlink()) != found:
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(found)
        return str(link.parent)

    def _environment(self, command: str, attachment: Attachment, path: str) -> dict[str, str]:
        return {
            "PATH": path or _system_path(),  # portmap calls iptables
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": attachment.sandbox_id,
            "CNI_NETNS": attachment.netns,
            "CNI_IFNAME": cni.INTERFACE,
            "CNI_ARGS": attachment.arguments,
            "CNI_PATH": os.pathsep.join(self._folders),
        }


def _system_path() -> str:
    return os.environ.get("PATH", _SEARCH_PATH)

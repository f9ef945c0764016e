"""The CNI configuration of a node: a list of plugins in a document, and what each plugin of it is told.

The document is one of the CNI specification (https://www.cni.dev/docs/spec/), with variables in its strings that differ
from node to node. A string that is nothing but a variable becomes its value, which may be a number or a list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dockershim.core.cni import BRIDGE

VERSIONS: Final = ("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
_FIRST_CHECK: Final = VERSIONS.index("0.4.0")
_FIRST_GC: Final = VERSIONS.index("1.1.0")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")
_FILTERS: Final = {False: "iptables", True: "ip6tables"}  # by whether of IPv6
_RATES: Final = ("ingressRate", "egressRate")
_IDLE_WITHOUT: Final = {"portmap": "portMappings", "bandwidth": "bandwidth"}  # plugin: its capability
BUILT_IN: Final = "the built-in CNI configuration"
DEFAULT: Final = """{
  "cniVersion": "0.4.0",
  "name": "kubarium",
  "plugins": [
    {
      "type": "bridge",
      "bridge": "${BRIDGE}",
      "isGateway": true,
      "forceAddress": true,
      "ipMasq": false,
      "hairpinMode": true,
      "mtu": "${MTU}",
      "ipam": {"type": "host-local", "ranges": "${RANGES}", "routes": "${ROUTES}", "dataDir": "${DATA_DIR}"}
    },
    {"type": "portmap", "capabilities": {"portMappings": true}, "snat": true},
    {"type": "bandwidth", "capabilities": {"bandwidth": true}}
  ]
}
"""


class ConfError(ValueError):
    """A document describes no network: which one, in which field, and why."""

    def __init__(self, source: str, field: str, why: str) -> None:
        super().__init__(f"{source}: {field}: {why}" if field else f"{source}: {why}")


@dataclass(frozen=True, slots=True)
class NetworkConf:
    """A network: its plugins in the order in which they add a pod to it."""

    source: str  # the file, for messages
    name: str
    version: str
    plugins: tuple[dict[str, Any], ...]
    has_check: bool
    has_gc: bool

    @staticmethod
    def programs_of(plugins: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
        """List the programs of plugins, those that give addresses included."""
        return tuple(dict.fromkeys(each for plugin in plugins for each in _programs(plugin)))

    def unmet(self, wishes: Mapping[str, Any]) -> list[str]:
        """List what a pod wishes and no plugin does."""
        return [each for each in wishes if not any(_can(plugin, each) for plugin in self.plugins)]

    def busy(self, wishes: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
        """List the plugins that have something to do; others would pass on what they were given."""
        return tuple(plugin for plugin in self.plugins if not _is_idle(plugin, wishes))

    def told(
        self, plugin: Mapping[str, Any], wishes: Mapping[str, Any], previous: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Return what a plugin is told: its own part, the list's name and version, the wishes that it can fulfil, the result so far."""
        own = {key: value for key, value in plugin.items() if key != "capabilities"}
        fitting = {key: value for key, value in wishes.items() if _can(plugin, key)}
        return {
            **own,
            "cniVersion": self.version,
            "name": self.name,
            **({"runtimeConfig": fitting} if fitting else {}),
            **({"prevResult": previous} if previous else {}),
        }

    def note(self) -> dict[str, Any]:
        """Return it as JSON values, for `noted`: a pod is taken from the network that it was added to."""
        return {
            "source": self.source,
            "name": self.name,
            "version": self.version,
            "plugins": list(self.plugins),
            "check": self.has_check,
            "gc": self.has_gc,
        }


def noted(note: Mapping[str, Any]) -> NetworkConf:
    """Return the network that `NetworkConf.note` wrote."""
    return NetworkConf(
        note["source"],
        note["name"],
        note["version"],
        tuple(note["plugins"]),
        has_check=note["check"],
        has_gc=note["gc"],
    )


def only_filter(plugin: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """Return the only program of a packet filter that the CHECK of a plugin may find, for a pod with this result; "" for any.

    portmap (1.1.1, Debian 12) looks for the rules of each family whose program there is, and misses those of one that the pod
    has no address of (https://github.com/containernetworking/plugins/issues/819).
    """
    families = {":" in str(each["address"]) for each in result.get("ips") or ()}
    return _FILTERS[families.pop()] if plugin["type"] == "portmap" and len(families) == 1 else ""


def variables(pod_cidr: str, data_dir: str, mtu: int) -> dict[str, Any]:
    """Return what the variables of a document stand for on a node.

    Args:
        pod_cidr: its range, or an IPv4 and an IPv6 one with a comma.
        data_dir: a folder of the node's own, for plugins that keep something.
        mtu: bytes; 0 for the kernel's own.
    """
    ranges = pod_cidr.split(",")
    return {
        "POD_CIDR": ranges[0],
        "RANGES": [[{"subnet": part}] for part in ranges],
        "ROUTES": [{"dst": "::/0" if ":" in part else "0.0.0.0/0"} for part in ranges],
        "BRIDGE": BRIDGE,
        "MTU": mtu,
        "DATA_DIR": data_dir,
    }


def read_conf(text: str, source: str, known: Mapping[str, Any]) -> NetworkConf:
    """Read a document: a list of plugins, or a single one as older ones have it.

    Raises:
        ConfError: it describes no network; the message names the field.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ConfError(source, "", f"is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise ConfError(source, "", "has to be an object")
    reader = _Reader(source, known)
    document = reader.filled(document, "")
    version, name = reader.version(document), reader.text(document, "name", "name")
    if not _NAME.fullmatch(name):
        raise ConfError(
            source,
            "name",
            f'"{name}" has to be letters, digits, "_", "." and "-", and begin with one of the first two',
        )
    number = VERSIONS.index(version)
    return NetworkConf(
        source,
        name,
        version,
        reader.plugins(document),
        has_check=number >= _FIRST_CHECK and not reader.flag(document, "disableCheck"),
        has_gc=number >= _FIRST_GC and not reader.flag(document, "disableGC"),
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    source: str
    known: Mapping[str, Any]

    def filled(self, value: Any, path: str) -> Any:
        """Return a value with the variables of its strings replaced."""
        match value:
            case dict():
                return {
                    key: self.filled(each, f"{path}.{key}" if path else key) for key, each in value.items()
                }
            case list():
                return [self.filled(each, f"{path}[{number}]") for number, each in enumerate(value)]
            case str() if whole := _VARIABLE.fullmatch(value):
                return self._variable(whole[1], path)
            case str():
                return _VARIABLE.sub(lambda found: self._within(found[1], path), value)
            case _:
                return value

    def _variable(self, name: str, path: str) -> Any:
        if name not in self.known:
            raise ConfError(
                self.source, path, f"there is no variable ${{{name}}} (there are: {', '.join(self.known)})"
            )
        return self.known[name]

    def _within(self, name: str, path: str) -> str:
        if isinstance(value := self._variable(name, path), list):
            raise ConfError(self.source, path, f"${{{name}}} is a list, and has to stand alone")
        return str(value)

    def version(self, document: Mapping[str, Any]) -> str:
        """Choose the latest version that the document allows and is known here."""
        if "cniVersions" in document:
            field, allowed = "cniVersions", document["cniVersions"]
        else:
            field, allowed = "cniVersion", [self.text(document, "cniVersion", "cniVersion")]
        fitting = [each for each in VERSIONS if isinstance(allowed, list) and each in allowed]
        if not fitting:
            raise ConfError(
                self.source, field, f"has to be one of {', '.join(VERSIONS)}, not {json.dumps(allowed)}"
            )
        return fitting[-1]

    def plugins(self, document: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
        """Return the checked plugins."""
        if "plugins" not in document and "type" in document:
            return (self._plugin(dict(document), ""),)
        listed = document.get("plugins")
        if not isinstance(listed, list) or not listed:
            raise ConfError(self.source, "plugins", "has to be a list of at least one plugin")
        return tuple(self._plugin(each, f"plugins[{number}]") for number, each in enumerate(listed))

    def _plugin(self, plugin: Any, path: str) -> dict[str, Any]:
        if not isinstance(plugin, dict):
            raise ConfError(self.source, path, "has to be an object")
        prefix = f"{path}." if path else ""
        self._program(plugin, f"{prefix}type")
        ipam = plugin.get("ipam", {})
        if not isinstance(ipam, dict):
            raise ConfError(self.source, f"{prefix}ipam", "has to be an object")
        if ipam:
            self._program(ipam, f"{prefix}ipam.type")
        capabilities = plugin.get("capabilities", {})
        if not isinstance(capabilities, dict) or not all(
            isinstance(each, bool) for each in capabilities.values()
        ):
            raise ConfError(self.source, f"{prefix}capabilities", "has to be an object of true and false")
        return plugin

    def _program(self, part: Mapping[str, Any], path: str) -> None:
        if "/" in (name := self.text(part, "type", path)):
            raise ConfError(self.source, path, f'"{name}" has to be the name of a program, without "/"')

    def text(self, part: Mapping[str, Any], key: str, path: str) -> str:
        """Return a text that has to be there."""
        value = part.get(key)
        if not isinstance(value, str) or not value:
            raise ConfError(
                self.source, path, f"has to be text, not {json.dumps(value)}" if key in part else "is needed"
            )
        return value

    def flag(self, part: Mapping[str, Any], key: str) -> bool:
        """Return a truth value; false where it is not there."""
        if not isinstance(value := part.get(key, False), bool):
            raise ConfError(self.source, key, f"has to be true or false, not {json.dumps(value)}")
        return value


def valid_attachments(sandbox_ids: Sequence[str], interface: str) -> dict[str, Any]:
    """Return what a plugin is told at GC beside its own part: who is still there (CNI specification 1.1)."""
    return {"cni.dev/valid-attachments": [{"containerID": each, "ifname": interface} for each in sandbox_ids]}


def _programs(plugin: Mapping[str, Any]) -> Iterator[str]:
    yield str(plugin["type"])
    if ipam := plugin.get("ipam"):
        yield str(ipam["type"])


def _can(plugin: Mapping[str, Any], capability: str) -> bool:
    return bool(plugin.get("capabilities", {}).get(capability))


def _is_idle(plugin: Mapping[str, Any], wishes: Mapping[str, Any]) -> bool:
    capability = _IDLE_WITHOUT.get(plugin["type"], "")
    return bool(capability) and capability not in wishes and not any(plugin.get(rate) for rate in _RATES)

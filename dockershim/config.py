"""What dockershim is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dockershim.cni_files import read_file
from dockershim.core.cni_conf import ConfError, variables
from machinery.process.config import ComponentConfig, ConfigError, setting

_LONGEST_SOCKET = 107  # sun_path
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class DockershimConfig(ComponentConfig):
    """Every field is a flag."""

    socket: str = setting(
        "", help="unix socket to serve CRI v1 on; exec, attach and port-forward are on <socket>.streaming"
    )
    docker_socket: str = setting("/var/run/docker.sock", help="the Docker engine's unix socket")
    cluster: str = setting("", help="label of the containers that are ours")
    node: str = setting(
        "", help="label of the containers that are ours, and the host name on the node's network"
    )
    state_dir: str = setting("", help="folder for what the engine does not keep: addresses, the pod range")
    cni_bin_dirs: tuple[str, ...] = setting(
        ("/opt/cni/bin", "/usr/lib/cni"), help="folders of the CNI plugins"
    )
    cni_conf_dirs: tuple[str, ...] = setting(
        (),
        help="folders of CNI configurations; the first file, by its name, of the first one that has any is read for each pod",
    )
    cni_conf: str = setting(
        "",
        help="the CNI configuration where those folders have none, read for each pod; the built-in one if empty",
    )
    network_check_s: float = setting(
        60.0,
        help="time in which CNI plugins CHECK each pod's network again, one pod in 5 s at most; 0 for never. All are CHECKed at the"
        " start, and those whose link goes at once",
        unit="wall seconds",
    )
    cdi_dirs: tuple[str, ...] = setting(
        ("/etc/cdi", "/var/run/cdi"),
        help="folders of the specs of CDI devices; those of a later one count before those of an earlier",
    )
    streaming_listen: str = setting(
        "127.0.0.1:0",
        help="loopback address host:port for exec, attach and port-forward of clients that dial no unix socket (crictl, another"
        " kubelet); opened when the first one asks, port 0 for any",
    )
    purge: bool = setting(
        default=False, help="remove every container of the cluster (and node) with its cgroups, and end"
    )
    purge_states: tuple[str, ...] = setting(
        (), help="with --purge: the state folders of the nodes, to wait for what was being created there"
    )
    load: bool = setting(
        default=False,
        help="look up the images that standard input names, a line each (or load archives), push them to --registry, and end",
    )
    registry: str = setting("", help="with --load: the registry, host:port, to which they are pushed")

    def validate(self) -> None:
        """Check what has no default, and the ranges.

        Raises:
            ConfigError: a field has a value that does not work.
        """
        ComponentConfig.validate(self)
        self._check_cni_conf()
        if self.load:
            return
        if self.network_check_s < 0:
            raise ConfigError("network_check_s", "has to be 0 or more")
        needed = ("cluster",) if self.purge else ("cluster", "node", "socket", "state_dir")
        for field in needed:
            if not getattr(self, field):
                raise ConfigError(field, "is needed")
        if len(f"{self.socket}.streaming") > _LONGEST_SOCKET:
            raise ConfigError("socket", f"is too long for a unix socket: {self.socket}.streaming")
        host, _, port = self.streaming_listen.rpartition(":")
        if not self.purge and (host not in _LOOPBACK or not port.isdecimal()):
            raise ConfigError(
                "streaming_listen", f"has to be a loopback address with a port, not {self.streaming_listen!r}"
            )

    def _check_cni_conf(self) -> None:
        if not self.cni_conf:
            return
        try:
            read_file(Path(self.cni_conf), variables("10.244.0.0/24", self.state_dir, 1500))
        except ConfError as error:
            raise ConfigError("cni_conf", str(error)) from error

"""The other files of a pod on its node: logs, /etc/hosts, termination messages."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from kubelet.core.network_files import host_network_hosts_file, hosts_file, pod_domain, pod_hostname
from machinery.model.k8s.core_v1 import Container, Pod
from machinery.pb import cri_pb2 as cri
from machinery.process.trees import remove_tree

HOSTS: Final = "/etc/hosts"  # of the machine, and of every container
MESSAGE_LIMIT: Final = 4096  # bytes of a termination message that are shown


class PodFiles:
    """Where the files of pods lie, and what the kubelet itself writes into them."""

    def __init__(self, root_dir: Path, cluster_domain: str = "cluster.local") -> None:
        self._cluster_domain = cluster_domain
        self._pods = root_dir / "pods"
        self._logs = root_dir / "logs"

    def pod_dir(self, pod_uid: str) -> Path:
        """Return the folder that `Volumes.unmount` takes away."""
        return self._pods / pod_uid

    def log_directory(self, pod: Pod) -> str:
        """Return the folder of a pod's logs, for its sandbox; it is made."""
        folder = self._log_dir(pod)
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    def log_path(self, pod: Pod, container: str, attempt: int) -> str:
        """Return a container's log file, relative to the pod's; its folder is made."""
        (Path(self.log_directory(pod)) / container).mkdir(exist_ok=True)
        return f"{container}/{attempt}.log"

    def container_log_dir(self, pod: Pod, container: str) -> Path | None:
        """Return the folder that has all of a container's log; None where containers share one."""
        return self._log_dir(pod) / container

    def remove_logs(self, pod: Pod) -> None:
        """Remove a pod's logs. Idempotent."""
        _remove(self._log_dir(pod))

    def sweep_logs(self, active_uids: Collection[str]) -> None:
        """Remove the logs of pods that are no more."""
        for folder in self._logs.glob("*_*_*"):
            if folder.name.rsplit("_", 1)[-1] not in active_uids:
                _remove(folder)

    def hosts_mount(self, pod: Pod, container: Container, pod_ips: Sequence[str]) -> cri.Mount | None:
        """Write a pod's /etc/hosts; None where the container mounts its own, or nothing is known to write."""
        if any(mount.mountPath == "/etc/hosts" for mount in container.volumeMounts):
            return None
        if not pod.spec.hostNetwork and not pod_ips:
            return None
        path = self.pod_dir(pod.metadata.uid) / "etc-hosts"
        path.parent.mkdir(parents=True, exist_ok=True)
        content = _hosts(pod, pod_ips, self._cluster_domain).encode(errors="surrogateescape")
        if not path.exists() or path.read_bytes() != content:  # written in place: it may be mounted already
            path.write_bytes(content)
            path.chmod(0o644)
        read_only = bool(container.securityContext and container.securityContext.readOnlyRootFilesystem)
        return cri.Mount(container_path="/etc/hosts", host_path=str(path), readonly=read_only)

    def termination_log(self, pod: Pod, container: Container, attempt: int) -> cri.Mount | None:
        """Make the file for a container's termination message; None where the container has no path for it."""
        if not container.terminationMessagePath:
            return None
        path = self._message_file(pod.metadata.uid, container.name, attempt)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        path.chmod(0o666)  # whoever the container runs as
        return cri.Mount(container_path=container.terminationMessagePath, host_path=str(path))

    def read_termination_log(self, pod_uid: str, container: str, attempt: int) -> str:
        """Return what a container left as its message, at most the last 4096 bytes; "" for nothing."""
        try:
            with self._message_file(pod_uid, container, attempt).open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - MESSAGE_LIMIT))
                return file.read(MESSAGE_LIMIT).decode(errors="replace")
        except OSError:
            return ""

    def _log_dir(self, pod: Pod) -> Path:
        meta = pod.metadata
        return self._logs / f"{meta.namespace}_{meta.name}_{meta.uid}"

    def _message_file(self, pod_uid: str, container: str, attempt: int) -> Path:
        """Return where a message lies: in the pod's own folder, since each new one is dear on many file systems."""
        return self.pod_dir(pod_uid) / f"termination-{container}-{attempt}"


def _hosts(pod: Pod, pod_ips: Sequence[str], cluster_domain: str) -> str:
    if pod.spec.hostNetwork:
        return host_network_hosts_file(_read(HOSTS), pod.spec.hostAliases)
    return hosts_file(pod_ips, pod_hostname(pod), pod_domain(pod, cluster_domain), pod.spec.hostAliases)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="surrogateescape")  # whatever the machine has in it
    except OSError:
        return ""


def _remove(folder: Path) -> None:
    with suppress(OSError):  # the sweep comes back to it
        remove_tree(folder)

"""A cluster in the user's hand.

    from kubarium import Cluster

    with Cluster.up(nodes=3) as cluster:
        cluster.kill("kubelet@node-1")
        print(cluster.ps())

Everything here is synchronous and raises KubariumError with words for people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import msgspec

from kubarium import homes, preflight, remains
from kubarium.claims import cluster_locked
from kubarium.core.addresses import Addresses
from kubarium.core.layout import Layout
from kubarium.core.options import Options
from kubarium.core.places import LocalPlaces
from kubarium.core.spec import HOLLOW_NODES, ClusterSpec, SpecError, is_node_name
from kubarium.ending import end, halt
from kubarium.errors import KubariumError
from kubarium.handed_flags import check_kubelet_args
from kubarium.host.containers import LoadedImage, load_images, remove_containers
from kubarium.host.kernel import check_kernel
from kubarium.host.mounts import unmount_below
from kubarium.starting import (
    START_PATIENCE_S,
    Progress,
    check_options,
    refuse_differences,
    start,
    start_joined,
)
from kubarium.supervisor.hollow_nodes import powers
from kubarium.supervisor.protocol import call
from machinery.process.clock import WALL
from machinery.process.trees import remove_tree

_DELETE_PATIENCE_S = 15.0  # for a Node object, by an apiserver that has just answered
HOLLOW_NODES_A_SECOND = 25  # that at least become Ready: `up` is so much more patient
LOCK_PATIENCE_S = 180.0  # another command may wait so long for a cluster that starts or ends

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Begun(Generic[C]):
    """A cluster, and what `up` had to do for it."""

    cluster: C
    is_new: bool  # whether it did not run before
    added: list[str]  # the nodes that were added to one that did


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """One component's process, as `kubarium ps` shows it."""

    name: str
    state: str  # waiting, starting, ready, paused, backoff, stopped
    pid: int  # 0 where none runs
    uptime_s: float
    restarts: int
    last_exit: str  # "" or how the last process ended


class Cluster:
    """A running cluster, by name."""

    def __init__(self, name: str = "kubarium", *, home: Path | None = None) -> None:
        self.name = name
        self._home = home
        self.layout: Layout[Path] = homes.layout_of(name, home)

    @classmethod
    def up(
        cls,
        name: str = "",
        *,
        file: Path | str | None = None,
        nodes: int | None = None,
        runtime: str | None = None,
        profile: str | None = None,
        time_scale: float | None = None,
        api_port: int | None = None,
        etcd: int | None = None,
        apiservers: int | None = None,
        schedulers: int | None = None,
        controllers: int | None = None,
        process_memory: str | None = None,
        registry_port: int | None = None,
        mtu: int | None = None,
        listen: str | None = None,
        ip_families: str | None = None,
        cni_conf: str | None = None,
        dns: str | None = None,
        publish: Sequence[str] | None = None,
        load_balancer_pool: str | None = None,
        access_log: bool | None = None,
        hollow_nodes: int | None = None,
        hollow_cpu: str | None = None,
        hollow_memory: str | None = None,
        hollow_pods: int | None = None,
        hollow_taints: Sequence[str] | None = None,
        apiserver_args: Mapping[str, str] | None = None,
        controllers_args: Mapping[str, str] | None = None,
        scheduler_args: Mapping[str, str] | None = None,
        cpu: str = "",
        memory: str = "",
        labels: Mapping[str, str] | None = None,
        taints: Sequence[str] = (),
        kubelet_args: Mapping[str, str] | None = None,
        zones: Sequence[str] = (),
        home: Path | None = None,
        wait: bool = True,
        timeout_s: float = START_PATIENCE_S,
        check_invariants: bool | None = None,
        progress: Progress = lambda _: None,
    ) -> Self:
        """Start a cluster, or find it running, and (with `wait`) return when its nodes are Ready.

        What is not said is as `kubarium up` has it: three nodes, one process of each program, the best runtime that works
        here. A cluster `file` (docs/cluster-file.md) says the same as a document; what is said beside it wins. Of a cluster
        that exists, options have to be what it has; more `nodes` are added. `etcd` is 1 or 3;
        `apiservers`, `schedulers` and `controllers` say how many processes of each there are; `cpu`, `memory`, `labels` and
        `taints` (key=value:Effect) are those of each node, `kubelet_args` flags of each kubelet, `zones` are given to them in turn. `process_memory` ("1Gi") is the
        most that each process of a node may have. At a `registry_port` there is an image registry that every node knows as
        localhost:PORT. `mtu` is the largest packet in bytes, `listen` this machine's address for machines that join, `ip_families` "ipv4" or "ipv4,ipv6", `cni_conf` the file of the nodes' CNI configuration. `dns` is "process" or
        "deployment": whether DNS is a workload of the cluster; "auto": where the image for it is there. `publish` are ports of this machine that lead to Services ("8080:80": kubarium.core.publications),
        `load_balancer_pool` the addresses of load balancers (kubarium.core.balancer_pool). With `access_log` apiservers log each request; `apiserver_args`, `controllers_args` and `scheduler_args` are flags of
        each process of these. `hollow_nodes` simulated nodes stand beside `nodes`, all in one process, each with `hollow_cpu`,
        `hollow_memory` and `hollow_pods`, and with `hollow_taints` ("none" for no taint: beside real nodes they have one). With `check_invariants` a component ends where it finds its own state broken: for tests.

        Raises:
            KubariumError: it cannot be; the message names the option, or says what is missing.
        """
        options = Options(
            nodes=nodes,
            runtime=runtime,
            profile=profile,
            time_scale=time_scale,
            api_port=api_port,
            etcd=etcd,
            apiservers=apiservers,
            schedulers=schedulers,
            controllers=controllers,
            process_memory=process_memory,
            registry_port=registry_port,
            mtu=mtu,
            listen=listen,
            ip_families=ip_families,
            cni_conf=cni_conf,
            dns=dns,
            publish=None if publish is None else tuple(publish),
            load_balancer_pool=load_balancer_pool,
            access_log=access_log,
            hollow_nodes=hollow_nodes,
            hollow_cpu=hollow_cpu,
            hollow_memory=hollow_memory,
            hollow_pods=hollow_pods,
            hollow_taints=None if hollow_taints is None else tuple(hollow_taints),
            apiserver_args=apiserver_args or {},
            controllers_args=controllers_args or {},
            scheduler_args=scheduler_args or {},
            cpu=cpu,
            memory=memory,
            labels=labels or {},
            taints=tuple(taints),
            kubelet_args=kubelet_args or {},
            zones=tuple(zones),
            check_invariants=check_invariants,
        )
        if file is not None:
            from kubarium.cluster_file import read_cluster_file  # YAML, which most clusters do without

            document = read_cluster_file(Path(file))
            name, options = name or document.name, options.over(document.options)
        name = name or homes.DEFAULT_NAME
        return cls.begin(name, options, home=home, wait=wait, timeout_s=timeout_s, progress=progress).cluster

    @classmethod
    def begin(
        cls,
        name: str,
        options: Options,
        *,
        home: Path | None = None,
        wait: bool = True,
        timeout_s: float = START_PATIENCE_S,
        progress: Progress = lambda _: None,
    ) -> Begun[Self]:
        """Start a cluster, or find it running, as `up` does; return what was to be done for it.

        Raises:
            KubariumError: it cannot be; the message names the option, or says what is missing.
        """
        cluster = cls(name, home=home)
        began = WALL.monotonic_wall()
        if options.cni_conf:
            options = replace(options, cni_conf=str(Path(options.cni_conf).absolute()))
        check_options(options, name, timeout_s)
        with cluster_locked(
            name, home or homes.default_home(), patience_s=LOCK_PATIENCE_S, told=progress
        ) as waited:
            is_new = not cluster.is_up()
            if is_new:
                spec = start(options, cluster.layout, home=home, will_wait=wait, progress=progress)
                added = []
            else:
                progress(f'cluster "{name}" is already running')
                added = cluster._adapt(options)
                spec = cluster.spec
            if is_new and spec.bootstraps and not spec.joined:
                from kubarium.joining.bootstrapping import admit_token  # few clusters have such nodes

                admit_token(spec, cluster.layout, timeout_s=timeout_s)
            if is_new and spec.has_dns and spec.dns == "deployment":
                from kubarium.dns_workload import deploy  # few clusters have it so

                deploy(spec, cluster.layout)
        if wait and (is_new or waited or added):
            nodes = None if is_new or waited else added
            patience_s = timeout_s + spec.hollow_nodes / HOLLOW_NODES_A_SECOND
            cluster._wait_ready(spec, nodes, timeout_s=patience_s, began=began, progress=progress)
        if wait and spec.registry_port:
            from kubarium.registry import announce  # gRPC, which most commands do without

            announce(spec, cluster.layout)
        return Begun(cluster, is_new=is_new, added=added)

    @classmethod
    def join(
        cls,
        door: str,
        *,
        token: str,
        ca_hash: str,
        name: str = "",
        nodes: int = 1,
        cpu: str = "",
        memory: str = "",
        labels: Mapping[str, str] | None = None,
        taints: Sequence[str] = (),
        home: Path | None = None,
        wait: bool = True,
        timeout_s: float = START_PATIENCE_S,
        progress: Progress = lambda _: None,
    ) -> Self:
        """Bring nodes of this machine into the cluster of another one, and (with `wait`) return when they are Ready.

        `door` (ADDRESS:PORT), `token` and `ca_hash` are what `create_token` returned there; `name` is what the cluster is
        called on this machine, its own name unless said. The rest is as with `up`.

        Raises:
            KubariumError: it cannot be; the message says why.
        """
        from kubarium.joining.asking import (  # gRPC, which most commands do without
            ask_to_join,
            write_credentials,
        )

        began = WALL.monotonic_wall()
        if name and (there := homes.read_spec(homes.layout_of(name, home))):
            raise KubariumError(_is_there(there))
        progress(f"asking {door}")
        joined = ask_to_join(door, token, ca_hash, name=name)
        options = Options(
            nodes=nodes, cpu=cpu, memory=memory, labels=labels or {}, taints=tuple(taints), declared=None
        )
        try:
            spec = options.extended(joined.spec)
        except SpecError as error:
            raise KubariumError(str(error)) from error
        cluster = cls(spec.name, home=home)
        with cluster_locked(
            spec.name, home or homes.default_home(), patience_s=LOCK_PATIENCE_S, told=progress
        ):
            if there := homes.read_spec(cluster.layout):
                raise KubariumError(_is_there(there))
            preflight.check_machine(spec, cluster.layout, home)
            check_kernel(spec, progress)
            write_credentials(joined, cluster.layout, token)
            start_joined(spec, cluster.layout, progress=progress)
        if wait:
            cluster.wait_ready(timeout_s=timeout_s, began=began, progress=progress)
        return cluster

    def create_token(self, *, ttl_s: float = 24 * 3600.0) -> str:
        """Make a token, valid for so many seconds, by which machines join; return the command for them.

        Raises:
            KubariumError: it listens on this machine alone, or its apiserver does not answer.
        """
        from kubarium.joining.machines import create_token  # gRPC, which most commands do without

        return create_token(self.spec, self.layout, ttl_s=ttl_s)

    def leave(self, *, progress: Progress = lambda _: None) -> None:
        """Remove this machine's nodes from the cluster that it joined, and remove all that was made for them here.

        Raises:
            KubariumError: it joined none, or the cluster does not answer, so that its nodes would stay there.
        """
        spec = self.spec
        if not spec.joined:
            raise KubariumError(f'cluster "{self.name}" is this machine\'s own: `kubarium down` ends it')
        for node in spec.nodes:
            progress(f"taking {node.name} out")
            self.remove_node(node.name)
        end(self.name, self.layout, progress=progress)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig file."""
        return self.layout.kubeconfig

    @property
    def spec(self) -> ClusterSpec:
        """What the cluster is made of now.

        Raises:
            KubariumError: it is not running, or its supervisor does not answer.
        """
        return msgspec.convert(self._call("spec"), ClusterSpec)

    @property
    def addresses(self) -> Addresses:
        """Where its parts listen.

        Raises:
            KubariumError: it is not running, or its supervisor does not answer.
        """
        return Addresses(self.spec)

    def is_up(self) -> bool:
        """Whether its supervisor answers.

        Raises:
            KubariumError: a cluster of that name runs here that is another folder's.
        """
        try:
            call(self.layout.control, "spec", timeout_s=5, home=str(self.layout.home))
        except (OSError, ValueError):
            return False
        return True

    def ps(self) -> list[ProcessInfo]:
        """List every component and its process.

        Raises:
            KubariumError: it is not running, or its supervisor does not answer.
        """
        return [ProcessInfo(**row) for row in self._call("ps")]

    def hollow_nodes(self) -> dict[str, str]:
        """Return what each hollow node is at present: on, off, paused, cut; all are off where their process does not run.

        Raises:
            KubariumError: the cluster is not running, or the process of the hollow nodes does not answer.
        """
        names = self.spec.hollow_names
        if not any(each.name == HOLLOW_NODES and each.pid for each in self.ps()):
            return dict.fromkeys(names, "off")
        return powers(str(self.layout.health(HOLLOW_NODES)))

    def kill(self, component: str, *, restart: bool = False) -> list[str]:
        """Kill a component with SIGKILL, or a whole node as a machine that lost power.

        It stays down until `restart(component)`; with `restart` it comes back as after a crash.

        Raises:
            KubariumError: there is no such component; the message lists those that are.
        """
        return list(self._call("kill", component=component, restart=restart))

    def stop(self, component: str) -> list[str]:
        """Stop a component in good order (SIGTERM), or shut a whole node down; it stays down.

        Raises:
            KubariumError: there is no such component; the message lists those that are.
        """
        return list(self._call("stop", component=component))

    def pause(self, component: str) -> list[str]:
        """Freeze a component (SIGSTOP): it holds its connections and says nothing. Of a node the containers, too.

        Raises:
            KubariumError: there is no such component, or it does not run.
        """
        return list(self._call("pause", component=component))

    def cut(self, node: str) -> list[str]:
        """Cut a node off from the network: everything on it goes on. `resume` joins it again.

        Raises:
            KubariumError: there is no such node, it does not run, or it has no network of its own.
        """
        return list(self._call("cut", component=node))

    def resume(self, component: str) -> list[str]:
        """Resume a frozen component (SIGCONT), or join a node that was cut off.

        Raises:
            KubariumError: there is no such component, or it does not run.
        """
        return list(self._call("resume", component=component))

    def restart(self, component: str) -> list[str]:
        """Stop a component where it runs, and start it; a node is rebooted.

        Raises:
            KubariumError: there is no such component; the message lists those that are.
        """
        return list(self._call("restart", component=component))

    def add_node(
        self,
        name: str = "",
        *,
        cpu: str = "",
        memory: str = "",
        labels: Mapping[str, str] | None = None,
        taints: Sequence[str] = (),
        kubelet_args: Mapping[str, str] | None = None,
        bootstrap: bool = False,
    ) -> str:
        """Add a node with that declared capacity, labels, taints and flags of its kubelet to the running cluster; return its name.

        With `bootstrap` its kubelet gets its certificate as a machine does that joins: with a bootstrap token, by a
        CertificateSigningRequest.

        Raises:
            KubariumError: it cannot be; the message names the option. Where no apiserver answers nothing is changed.
        """
        from kubarium.waiting import require_answer  # gRPC, which most commands do without

        if kubelet_args:
            check_kubelet_args([kubelet_args])
        require_answer(spec := self.spec, self.layout)
        if bootstrap:
            from kubarium.identity.credentials import ensure_bootstrap_kubeconfig
            from kubarium.joining.bootstrapping import admit_token

            ensure_bootstrap_kubeconfig(LocalPlaces(spec, self.layout))
            admit_token(spec, self.layout)
        return str(
            self._call(
                "node_add",
                name=name,
                cpu=cpu,
                memory=memory,
                labels=dict(labels or {}),
                taints=list(taints),
                kubelet_args=dict(kubelet_args or {}),
                bootstrap=bootstrap,
            )
        )

    def remove_node(self, name: str) -> None:
        """Switch a node off and take it out, with its Node object and its containers.

        A removal that was broken off goes on where it was: the node's folder goes last.

        Raises:
            KubariumError: there is no such node, or something of it could not be removed. Where no apiserver answers
                nothing is changed.
        """
        from kubarium.waiting import delete_node, require_answer  # gRPC, which most commands do without

        spec = self.spec
        was_begun = is_node_name(name) and self.layout.node(name).is_dir()
        if was_begun or any(node.name == name for node in spec.nodes):
            require_answer(spec, self.layout)
        if not was_begun or any(node.name == name for node in spec.nodes):
            self._call("node_rm", name=name)
        if spec.runtime == "docker":
            remove_containers(self.name, name, docker_socket=spec.docker_socket, nodes=self.layout.nodes)
        delete_node(spec, self.layout, name, timeout_s=_DELETE_PATIENCE_S)
        unmount_below(self.layout.node(name))
        with suppress(OSError):  # `ls` and `down` find what is left
            remove_tree(self.layout.node(name))

    def load(self, images: Iterable[str]) -> list[LoadedImage]:
        """See to it that the nodes have images: by their names in the engine's store, or as archives of `docker save`.

        All nodes share one engine, so each of them has what the engine has; an archive is loaded into it. Where the
        cluster has a registry the images are pushed there, too. Return what the engine and the registry confirmed.

        Raises:
            KubariumError: the cluster's containers are simulated, or an image is not there or could not be pushed.
        """
        spec, wanted = self.spec, list(images)
        if spec.runtime == "hollow":
            raise KubariumError(
                f'cluster "{self.name}" has the hollow runtime: its containers are simulated, and need no images'
            )
        if broken := [each for each in wanted if not each.strip() or "\n" in each]:
            raise KubariumError(f"{broken[0]!r} is no name of an image")
        return load_images(wanted, docker_socket=spec.docker_socket, registry=spec.registry)

    def log_file(self, component: str) -> Path:
        """Return the path of a component's log file.

        Raises:
            KubariumError: there is no such component.
        """
        return self.log_files([component])[component]

    def log_files(self, components: Sequence[str] = ()) -> dict[str, Path]:
        """Return the paths of the log files of some components, or of all and the supervisor's; also of a stopped cluster.

        Raises:
            KubariumError: there is no such component; the message lists those that are.
        """
        known = [*self._component_names(), "supervisor"]
        for component in components:
            if component not in known:
                raise KubariumError(
                    f'cluster "{self.name}" has no component "{component}" (it has: {", ".join(known)})'
                )
        return {component: self.layout.log(component) for component in components or known}

    def _component_names(self) -> list[str]:
        """List the components of a cluster that runs, or those that a stopped one has logs of."""
        if not self.is_up() and self.layout.logs.is_dir():
            return sorted(path.stem for path in self.layout.logs.glob("*.log") if path.stem != "supervisor")
        return [process.name for process in self.ps()]

    def wait_ready(
        self,
        *,
        nodes: Iterable[str] | None = None,
        timeout_s: float = START_PATIENCE_S,
        began: float | None = None,
        progress: Progress = lambda _: None,
    ) -> None:
        """Return when the apiserver answers and each node that is named is Ready; without names every node, and DNS answers.

        Progress is told with the seconds since `began` (of time.monotonic()), or since this call.

        Raises:
            KubariumError: not in time; the message says what was still missing.
        """
        began = WALL.monotonic_wall() if began is None else began
        self._wait_ready(self.spec, nodes, timeout_s=timeout_s, began=began, progress=progress)

    def _wait_ready(
        self,
        spec: ClusterSpec,
        nodes: Iterable[str] | None,
        *,
        timeout_s: float,
        began: float,
        progress: Progress,
    ) -> None:
        from kubarium.waiting import wait_for_nodes  # gRPC, which most commands do without

        wait_for_nodes(spec, self.layout, nodes=nodes, timeout_s=timeout_s, began=began, progress=progress)

    def down(self, *, progress: Progress = lambda _: None) -> bool:
        """Stop every process, remove every container, namespace and file that is the cluster's, also what has no record.

        Return False where nothing was there.

        Raises:
            KubariumError: something could not be removed; the message says what.
        """
        base = self._home or homes.default_home()
        if not base.is_dir() and not remains.of_cluster(self.layout):
            return False
        with cluster_locked(self.name, base, patience_s=LOCK_PATIENCE_S, told=progress):
            return end(self.name, self.layout, progress=progress)

    def halt(self, *, progress: Progress = lambda _: None) -> bool:
        """Stop every process and keep the cluster's state: `up` starts it as it was left. Return whether anything ran.

        To its nodes it is a loss of power: their disks stay.

        Raises:
            KubariumError: there is no such cluster, or something could not be ended.
        """
        base = self._home or homes.default_home()
        with cluster_locked(self.name, base, patience_s=LOCK_PATIENCE_S, told=progress):
            return halt(self.name, self.layout, progress=progress)

    def require(self, components: Sequence[str]) -> None:
        """Check that there are such components or nodes, before the first of several is touched.

        Raises:
            KubariumError: one is not there; the message lists those that are.
        """
        spec = self.spec
        nodes = [*(node.name for node in spec.nodes), *spec.hollow_names]
        known = [*(process.name for process in self.ps()), *nodes]
        for component in components:
            if component not in known:
                raise KubariumError(
                    f'cluster "{self.name}" has no component "{component}" (it has: {", ".join(known)})'
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def _adapt(self, options: Options) -> list[str]:
        """Add the nodes that were asked for and are not there; return their names.

        Raises:
            KubariumError: an option is not what the cluster has, or a node cannot be added.
        """
        spec = self.spec
        refuse_differences(options, spec)
        return [
            self.add_node(
                node.name,
                cpu=node.cpu,
                memory=node.memory,
                labels=node.labels,
                taints=node.taints,
                kubelet_args=node.kubelet_args,
                bootstrap=node.bootstrap,
            )
            for node in options.missing_nodes(spec)
        ]

    def _call(self, op: str, *, timeout_s: float = 60.0, **arguments: Any) -> Any:
        try:
            return call(self.layout.control, op, timeout_s=timeout_s, home=str(self.layout.home), **arguments)
        except TimeoutError as error:
            raise KubariumError(
                f'the supervisor of cluster "{self.name}" does not answer; its log is {self.layout.log("supervisor")}'
            ) from error
        except (FileNotFoundError, ConnectionError) as error:
            known = ", ".join(homes.cluster_names(self._home)) or "none"
            raise KubariumError(
                f'cluster "{self.name}" is not running (known: {known}): '
                f"`kubarium up --name {self.name}` starts it"
            ) from error


def _is_there(spec: ClusterSpec) -> str:
    return (
        f'there is a cluster "{spec.name}" on this machine: `kubarium {"leave" if spec.joined else "down"} '
        f"--name {spec.name}` ends it, `kubarium join --name OTHER` calls this one otherwise"
    )

"""A cluster in the user's hand.

    from kubarium import Cluster

    with Cluster.up(nodes=3) as cluster:
        cluster.kill("kubelet@node-1")
        print(cluster.ps())

Everything here is synchronous and raises KubariumError with words for people.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self, Unpack

from kubarium import homes, remains
from kubarium.beginning import begin
from kubarium.claims import cluster_locked
from kubarium.core.addresses import Addresses
from kubarium.core.layout import Layout
from kubarium.core.options.option import check_known
from kubarium.core.options.options import DeclaredNode, Options
from kubarium.core.options.up_options import EachNode, UpOptions
from kubarium.core.spec import ClusterSpec
from kubarium.ending import end, halt
from kubarium.host.containers import LoadedImage
from kubarium.nodes import add_node, load, remove_node
from kubarium.patience import START_PATIENCE_S, Patience, Progress, silent
from kubarium.running import ProcessInfo, Running
from machinery.process.clock import WALL


class Cluster:
    """A running cluster, by name. `home` is the folder of all clusters, the user's unless it is said."""

    def __init__(self, name: str = "kubarium", *, home: Path | None = None) -> None:
        self._running = Running(name, home)

    @classmethod
    def up(
        cls,
        name: str = "",
        *,
        file: Path | str | None = None,
        home: Path | None = None,
        wait: bool = True,
        timeout_s: float = START_PATIENCE_S,
        progress: Progress = silent,
        **options: Unpack[UpOptions],
    ) -> Self:
        """Start a cluster, or find it running, and (with `wait`) return when its nodes are Ready.

        The options are those of `kubarium up`, whose `--help` describes them (`kubarium.core.options.up_options` has them
        with their types): `nodes=3, profile="fast", labels={"tier": "gold"}, publish=["8080:80"]`. What is not said is as
        `kubarium up` has it: three nodes, one process of each program, the best runtime that works here. A cluster `file`
        (docs/cluster-file.md) says the same as a document; what is said beside it wins. Of a cluster that exists, options
        have to be what it has; more `nodes` are added. With `check_invariants` a component ends where it finds its own
        state broken: for tests.

        Raises:
            KubariumError: it cannot be; the message names the option, or says what is missing.
        """
        wanted = Options.of(**options)
        if file is not None:
            from kubarium.cluster_file import read_cluster_file  # YAML, which most clusters do without

            document = read_cluster_file(Path(file))
            name, wanted = name or document.name, wanted.over(document.options)
        cluster = cls(name or homes.DEFAULT_NAME, home=home)
        begin(cluster._running, wanted, Patience(wait=wait, timeout_s=timeout_s, progress=progress))
        return cluster

    @classmethod
    def join(
        cls,
        door: str,
        *,
        token: str,
        ca_hash: str,
        name: str = "",
        nodes: int = 1,
        home: Path | None = None,
        wait: bool = True,
        timeout_s: float = START_PATIENCE_S,
        progress: Progress = silent,
        **each_node: Unpack[EachNode],
    ) -> Self:
        """Bring nodes of this machine into the cluster of another one, and (with `wait`) return when they are Ready.

        `door` (ADDRESS:PORT), `token` and `ca_hash` are what `create_token` returned there; `name` is what the cluster is
        called on this machine, its own name unless said. The rest is as with `up`.

        Raises:
            KubariumError: it cannot be; the message says why.
        """
        from kubarium.membership import Invitation, join  # gRPC, which most commands do without

        check_known(each_node, EachNode)
        running = join(
            Invitation(door, token, ca_hash),
            Options.of(nodes=nodes, **each_node),
            name=name,
            home=home,
            patience=Patience(wait=wait, timeout_s=timeout_s, progress=progress),
        )
        return cls(running.name, home=home)

    def create_token(self, *, ttl_s: float = 24 * 3600.0) -> str:
        """Make a token, valid for so many seconds, by which machines join; return the command for them.

        Raises:
            KubariumError: it listens on this machine alone, or its apiserver does not answer.
        """
        from kubarium.joining.machines import create_token  # gRPC, which most commands do without

        return create_token(self.spec, self.layout, ttl_s=ttl_s)

    def leave(self, *, progress: Progress = silent) -> None:
        """Remove this machine's nodes from the cluster that it joined, and remove all that was made for them here.

        Raises:
            KubariumError: it joined none, or the cluster does not answer, so that its nodes would stay there.
        """
        from kubarium.membership import leave  # gRPC, which most commands do without

        leave(self._running, progress)

    def down(self, *, progress: Progress = silent) -> bool:
        """Stop every process, remove every container, namespace and file that is the cluster's, also what has no record.

        Return False where nothing was there.

        Raises:
            KubariumError: something could not be removed; the message says what.
        """
        base = self._running.base
        if not base.is_dir() and not remains.of_cluster(self.layout):
            return False
        with cluster_locked(self.name, base, told=progress):
            return end(self.name, self.layout, progress=progress)

    def halt(self, *, progress: Progress = silent) -> bool:
        """Stop every process and keep the cluster's state: `up` starts it as it was left. Return whether anything ran.

        To its nodes it is a loss of power: their disks stay.

        Raises:
            KubariumError: there is no such cluster, or something could not be ended.
        """
        with cluster_locked(self.name, self._running.base, told=progress):
            return halt(self.name, self.layout, progress=progress)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    @property
    def name(self) -> str:
        """What it is called on this machine."""
        return self._running.name

    @property
    def layout(self) -> Layout[Path]:
        """Where its files are."""
        return self._running.layout

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
        return self._running.spec()

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
        return self._running.is_up()

    def ps(self) -> list[ProcessInfo]:
        """List every component and its process.

        Raises:
            KubariumError: it is not running, or its supervisor does not answer.
        """
        return self._running.processes()

    def hollow_nodes(self) -> dict[str, str]:
        """Return what each hollow node is at present: on, off, paused, cut; all are off where their process does not run.

        Raises:
            KubariumError: the cluster is not running, or the process of the hollow nodes does not answer.
        """
        return self._running.hollow_nodes()

    def kill(self, component: str, *, restart: bool = False) -> list[str]:
        """Kill a component with SIGKILL, or a whole node as a machine that lost power.

        It stays down until `restart(component)`; with `restart` it comes back as after a crash.

        Raises:
            KubariumError: there is no such component; the message lists those that are.
        """
        return self._running.act("kill", component, restart=restart)

    def stop(self, component: str) -> list[str]:
        """Stop a component in good order (SIGTERM), or shut a whole node down; it stays down.

        Raises:
            KubariumError: there is no such component; the message lists those that are.
        """
        return self._running.act("stop", component)

    def pause(self, component: str) -> list[str]:
        """Freeze a component (SIGSTOP): it holds its connections and says nothing. Of a node the containers, too.

        Raises:
            KubariumError: there is no such component, or it does not run.
        """
        return self._running.act("pause", component)

    def cut(self, node: str) -> list[str]:
        """Cut a node off from the network: everything on it goes on. `resume` joins it again.

        Raises:
            KubariumError: there is no such node, it does not run, or it has no network of its own.
        """
        return self._running.act("cut", node)

    def resume(self, component: str) -> list[str]:
        """Resume a frozen component (SIGCONT), or join a node that was cut off.

        Raises:
            KubariumError: there is no such component, or it does not run.
        """
        return self._running.act("resume", component)

    def restart(self, component: str) -> list[str]:
        """Stop a component where it runs, and start it; a node is rebooted.

        Raises:
            KubariumError: there is no such component; the message lists those that are.
        """
        return self._running.act("restart", component)

    def require(self, components: Sequence[str]) -> None:
        """Check that there are such components or nodes, before the first of several is touched.

        Raises:
            KubariumError: one is not there; the message lists those that are.
        """
        self._running.require(components)

    def add_node(self, name: str = "", *, bootstrap: bool = False, **each_node: Unpack[EachNode]) -> str:
        """Add a node with that declared capacity, labels, taints and flags of its kubelet to the running cluster; return its name.

        With `bootstrap` its kubelet gets its certificate as a machine does that joins: with a bootstrap token, by a
        CertificateSigningRequest.

        Raises:
            KubariumError: it cannot be; the message names the option. Where no apiserver answers nothing is changed.
        """
        check_known(each_node, EachNode)
        return add_node(self._running, DeclaredNode(name=name, bootstrap=bootstrap).under(each_node))

    def remove_node(self, name: str) -> None:
        """Switch a node off and take it out, with its Node object and its containers.

        A removal that was broken off goes on where it was: the node's folder goes last.

        Raises:
            KubariumError: there is no such node, or something of it could not be removed. Where no apiserver answers
                nothing is changed.
        """
        remove_node(self._running, name)

    def load(self, images: Iterable[str]) -> list[LoadedImage]:
        """See to it that the nodes have images: by their names in the engine's store, or as archives of `docker save`.

        All nodes share one engine, so each of them has what the engine has; an archive is loaded into it. Where the
        cluster has a registry the images are pushed there, too. Return what the engine and the registry confirmed.

        Raises:
            KubariumError: the cluster's containers are simulated, or an image is not there or could not be pushed.
        """
        return load(self._running, images)

    def wait_ready(
        self,
        *,
        nodes: Iterable[str] | None = None,
        timeout_s: float = START_PATIENCE_S,
        began: float | None = None,
        progress: Progress = silent,
    ) -> None:
        """Return when the apiserver answers and each node that is named is Ready; without names every node, and DNS answers.

        Progress is told with the seconds since `began` (of time.monotonic()), or since this call.

        Raises:
            KubariumError: not in time; the message says what was still missing.
        """
        from kubarium.waiting import wait_for_nodes  # gRPC, which most commands do without

        began = WALL.monotonic_wall() if began is None else began
        wait_for_nodes(
            self.spec, self.layout, nodes=nodes, timeout_s=timeout_s, began=began, progress=progress
        )

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
        return self._running.log_files(components)

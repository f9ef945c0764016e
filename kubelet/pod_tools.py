"""What the workers of pods act with, put together."""

from __future__ import annotations

from kubelet.container_resizer import ContainerResizer
from kubelet.container_starter import ContainerStarter, Providers
from kubelet.container_stopper import ContainerStopper
from kubelet.core.network_files import ClusterDns
from kubelet.environment import Environment
from kubelet.ground import Ground
from kubelet.hooks import Hooks
from kubelet.images import Images
from kubelet.node import Node
from kubelet.node_plugins import NodePlugins
from kubelet.pod_executor import PodExecutor
from kubelet.pod_worker import Tools
from kubelet.probe_states import ProbeStateView
from kubelet.probes import Probes
from kubelet.relist import Relist
from kubelet.runtime_handlers import RuntimeHandlers
from kubelet.sandboxes import Sandboxes
from kubelet.status_writer import StatusWriter
from kubelet.volumes import Volumes


def make_tools(
    ground: Ground,
    *,
    relist: Relist,
    node: Node,
    plugins: NodePlugins,
    volumes: Volumes,
    images: Images,
    environment: Environment,
    probes: Probes,
    writer: StatusWriter,
) -> Tools:
    """Construct what turns the decisions about a pod into calls of the runtime, volumes, images and hooks."""
    situation, device_claims = ground.situation, plugins.device_claims
    sandboxes = Sandboxes(
        ground.runtime,
        relist,
        volumes,
        device_claims,
        ground.cgroups,
        ground.files,
        ground.events,
        ground.clock,
        RuntimeHandlers(ground.api, node.handlers),
        is_draining=situation.is_draining,
        cluster_dns=ClusterDns(ground.config.cluster_dns, ground.config.cluster_domain),
    )
    providers = Providers(
        images=images,
        environment=environment,
        volumes=volumes,
        sandboxes=sandboxes,
        files=ground.files,
        machine=ground.machine,
        device_claims=device_claims,
        enforces_cpu=ground.enforces_cpu,
    )
    return Tools(
        executor=_make_executor(ground, relist, sandboxes, providers),
        pictures=relist,
        probes=ProbeStateView(probes),
        writer=writer,
        events=ground.events,
        clock=ground.clock,
        log=ground.log,
        surroundings=situation.surroundings,
        is_draining=situation.is_draining,
        checks_invariants=ground.config.check_invariants,
    )


def _make_executor(ground: Ground, relist: Relist, sandboxes: Sandboxes, providers: Providers) -> PodExecutor:
    """Construct what carries out the steps of a pod: its containers started, resized and stopped."""
    runtime, events, log = ground.runtime, ground.events, ground.log
    hooks = Hooks(runtime, ground.clock)
    stopper = ContainerStopper(runtime, hooks, events, ground.clock, log)
    starter = ContainerStarter(
        runtime,
        relist,
        providers,
        hooks,
        stopper,
        events,
        ground.clock,
        log,
        is_draining=ground.situation.is_draining,
    )
    resizer = ContainerResizer(runtime, ground.cgroups, ground.machine, log, enforces_cpu=ground.enforces_cpu)
    return PodExecutor(runtime, relist, sandboxes, starter, stopper, resizer, events, log)

"""The start of a cluster: what was asked for becomes a spec, files, and a supervisor that answers."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from kubarium import homes, preflight, remains
from kubarium.claims import SlotClaims
from kubarium.core.components import registry_config
from kubarium.core.handed_flags import PLANE_FLAGS
from kubarium.core.layout import Layout
from kubarium.core.options.differences import differences
from kubarium.core.options.options import Options
from kubarium.core.places import LocalPlaces
from kubarium.core.spec import ClusterSpec
from kubarium.core.spec_rules import SpecError
from kubarium.errors import KubariumError
from kubarium.handed_flags import check_cni_conf, check_kubelet_args, check_plane_args
from kubarium.host.kernel import check_kernel
from kubarium.identity.credentials import ensure_credentials, kubeconfig_text
from kubarium.import_path import programs_folder
from kubarium.patience import START_PATIENCE_S, Patience, Progress
from kubarium.starter import Starter


def check_options(options: Options, name: str) -> None:
    """Check what was asked for, whatever runs.

    Raises:
        KubariumError: no cluster can be so; the message names the option.
    """
    try:
        spec = options.new_spec(name)
    except SpecError as error:
        raise KubariumError(str(error)) from error
    check_kubelet_args(node.kubelet_args for node in spec.nodes)
    for program in PLANE_FLAGS:
        check_plane_args(program, spec.args_of(program))
    check_cni_conf(spec.cni_conf)


def refuse_differences(options: Options, spec: ClusterSpec) -> None:
    """Check that a cluster that exists is what was asked for, except for nodes that can be added.

    Raises:
        KubariumError: it is not; the message names each option, and what the cluster has.
    """
    if found := differences(options, spec):
        raise KubariumError(
            f'cluster "{spec.name}" exists and cannot be given {"; ".join(found)}: nothing was changed; '
            f"`kubarium down --name {spec.name}` and `up` make it anew"
        )


def start(options: Options, layout: Layout[Path], *, home: Path | None, patience: Patience) -> ClusterSpec:
    """Start a cluster that does not run; return what it is when its supervisor answers. Its lock is the caller's.

    Raises:
        KubariumError: it cannot be started; the message says what to do.
    """
    progress = patience.progress
    _check_nobody_runs(layout)
    with SlotClaims() as claims, Starter(layout) as starter:
        spec = _left(options, layout, progress) or _new(options, layout, home, claims, progress)
        _write(spec, layout)
        progress("starting etcd, apiserver, scheduler, controllers and the nodes")
        starter.begin()
        if patience.wait:
            import kubarium.waiting  # noqa: F401 - while the supervisor starts
        starter.wait(START_PATIENCE_S)
        if not spec.joined:
            preflight.wait_until_claimed(spec)
    return spec


def _check_nobody_runs(layout: Layout[Path]) -> None:
    """Check for a supervisor that runs and does not answer: a second one would start everything twice."""
    name = layout.home.name
    for process in remains.of_cluster(layout):
        if process.is_supervisor:
            raise KubariumError(
                f'the supervisor of cluster "{name}" (pid {process.pid}) runs and does not answer; '
                f"its log is {layout.log('supervisor')}, `kubarium down --name {name}` ends it"
            )


def _left(options: Options, layout: Layout[Path], progress: Progress) -> ClusterSpec | None:
    """Return the spec of the cluster as it was left, with the nodes that are asked for now; None where there is none."""
    known = homes.read_spec(layout)
    if known is None:
        return None
    refuse_differences(options, known)
    progress(f'starting cluster "{known.name}" as it was left')
    preflight.check_name(known, layout, is_known=True)
    if not layout.pids.exists() or layout.pids.read_text() in {"", "{}"}:
        preflight.check(known)  # else its processes still run and hold the ports themselves
    return options.extended(known)


def _new(
    options: Options, layout: Layout[Path], home: Path | None, claims: SlotClaims, progress: Progress
) -> ClusterSpec:
    """Return the spec of a cluster that can be started on this machine now."""
    runtime, docker_socket, why = preflight.choose_runtime(options.said.get("runtime", "auto"))
    if why:
        progress(f"going on with the hollow runtime: {why}. Containers are simulated")
    spec = options.new_spec(layout.home.name, runtime, origin=str(programs_folder()))
    spec = msgspec.structs.replace(spec, docker_socket=docker_socket)

    def is_free(slot: int) -> bool:
        with_slot = msgspec.structs.replace(spec, slot=slot, api_port=0, registry_port=0, listen="")
        return (
            claims.claim(slot) and slot not in homes.taken_slots(home) and preflight.ports_are_free(with_slot)
        )

    spec = msgspec.structs.replace(spec, slot=homes.free_slot(set(), is_free))
    preflight.check_name(spec, layout, is_known=False)
    preflight.check(spec)
    check_kernel(spec, progress)
    return with_dns(spec, options.said.get("dns"), progress)


def with_dns(spec: ClusterSpec, wanted: str | None, progress: Progress) -> ClusterSpec:
    """Return the spec with DNS as it was asked for: with "auto" as a workload where the nodes have the image for it.

    Raises:
        KubariumError: a workload was asked for by name, and there is no image for it.
    """
    if not spec.has_dns or wanted not in {"auto", "deployment"}:
        return spec
    from kubarium.dns_workload import check_image  # few clusters have it so

    try:
        check_image(spec)
    except KubariumError as error:
        if wanted == "deployment":
            raise KubariumError(f"--dns deployment: {error}; `--dns process` needs no image") from error
        progress(f"DNS is a process beside the control plane: {error}")
        return spec
    if wanted == "auto":
        progress("DNS is a workload of the cluster, since the engine has the image for it")
    return msgspec.structs.replace(spec, dns="deployment")


def start_joined(spec: ClusterSpec, layout: Layout[Path], *, progress: Progress) -> None:
    """Start the nodes of a machine that was let into a cluster; its credentials are in its folder. Its lock is the caller's.

    Raises:
        KubariumError: they cannot be started; the message says what to do.
    """
    with Starter(layout) as starter:
        _write(spec, layout)
        progress("starting the nodes")
        starter.begin()
        import kubarium.waiting  # noqa: F401 - while the supervisor starts

        starter.wait(START_PATIENCE_S)


def _write(spec: ClusterSpec, layout: Layout[Path]) -> None:
    layout.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    layout.logs.mkdir(exist_ok=True)
    places = LocalPlaces(spec, layout)
    if not spec.joined:  # else the credentials are those that the first machine gave
        content = kubeconfig_text(places, ensure_credentials(places))
        descriptor = os.open(layout.kubeconfig, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(content)
    if spec.registry_port:
        layout.registry.mkdir(exist_ok=True, mode=0o700)
        (layout.registry / "config.yml").write_bytes(msgspec.json.encode(registry_config(places)))
    draft = layout.spec.with_suffix(".new")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(spec)))
    draft.replace(layout.spec)

# What half two publishes for half one. A note between two authors; this file goes away before the end.
#
# The Runtime of half one has to have these (all raise machinery.model.errors.ApiError on failure):
#   async image_status(image: str) -> cri.Image | None            (None: not there)
#   async pull_image(image: str, auth: cri.AuthConfig | None, sandbox: cri.PodSandboxConfig | None) -> str
#   async list_images() -> Sequence[cri.Image]
#   async exec_sync(container_id: str, command: Sequence[str], timeout_s: float) -> cri.ExecSyncResponse
#       (timeout_s in WALL seconds; DeadlineExceeded when the command did not end in time)
#   async version() -> cri.VersionResponse ; async status() -> cri.StatusResponse
#   async runtime_config() -> cri.RuntimeConfigResponse
#   async update_runtime_config(pod_cidr: str) -> None
#   async exec(request: cri.ExecRequest) -> str (url) ; async attach(request: cri.AttachRequest) -> str (url)
#   async reopen_container_log(container_id: str) -> None
#
# kubelet/core/references.py
#   container_reference(pod, container_name) -> ObjectReference        # for events about a container
#
# kubelet/images.py
#   class ImageProblem(Exception): reason: str; message: str           # -> waiting.reason / waiting.message
#   class Images(api, runtime, events, clock, log)
#       async ensure(pod, container, sandbox: cri.PodSandboxConfig | None = None) -> str   # image ref
#       forget(pod_uid: str) -> None                                   # drops backoffs
#     It records Pulling/Pulled/Failed("Failed to pull image …")/Failed("Error: ErrImagePull")/BackOff itself.
#
# kubelet/volumes/__init__.py   (class in kubelet/volumes/volumes.py)
#   class VolumeProblem(Exception): message
#   class Volumes(api, root_dir: Path, clock, events, log, *, allocatable: Callable[[], Mapping[str, str]], host_ip: str)
#       async mount(pod) -> Mapping[str, str]          # volume name -> host path; idempotent. Records FailedMount.
#       async refresh(pod) -> None                     # call every 60..90 s for running pods; never raises ApiError
#       async unmount(pod_uid: str) -> None            # idempotent; removes the pod's whole directory
#       async sweep(active_uids: Collection[str]) -> None
#       def mounts(pod, container, volumes: Mapping[str, str], env: Mapping[str, str]) -> list[cri.Mount]
#           # volumeMounts with subPath/subPathExpr resolved safely; raises VolumeProblem
#   kubelet/pod_files.py
#   class PodFiles(root_dir: Path)
#       def pod_dir(uid) -> Path
#       def log_directory(pod) -> str                  # <root>/../ no: <root_dir>/logs/<ns>_<name>_<uid>
#       def log_path(pod, container_name, attempt) -> str   # "<container>/<attempt>.log", relative to log_directory; makes the folder
#       def hosts_mount(pod, container, pod_ips) -> cri.Mount | None   # writes etc-hosts; None: nothing to mount
#       def termination_log(pod, container, attempt) -> cri.Mount | None      # makes the file; sweep_logs(active_uids) exists too
#       def read_termination_log(pod_uid, container, attempt) -> str          # at most 4096 bytes, "" if none
#       def remove_logs(pod) -> None
#
# kubelet/environment.py
#   class ConfigProblem(Exception): message            # -> CreateContainerConfigError
#   class Environment(api, clock, events, log, *, allocatable: Callable[[], Mapping[str, str]], host_ip: str)
#       async make(pod, container, pod_ip: str, pod_ips: Sequence[str] = ()) -> list[tuple[str, str]]
#       async run() -> None                            # the lazily started services informer: start it in the TaskGroup
#   kubelet/core/environment.py: expand(text, mapping) for command/args: expand_all(list, env) -> list[str]
#
# kubelet/core/network_files.py: Dns, read_resolv_conf(text), dns_config(pod, host), missing_cluster_dns(pod) -> event text, pod_hostname(pod)
# kubelet/core/security.py: security_problem(pod, container, image)
# kubelet/core/cri_config.py   (pure)
#   sandbox_config(pod, *, attempt, log_directory, cgroup_parent, dns, hostname, labels, annotations) -> cri.PodSandboxConfig
#   container_config(pod, container, *, image_ref, env, mounts, attempt, labels, annotations, log_path,
#                    node_memory_bytes, node_cpu_millicores=machine.cpu_millicores if cgroup_root else 0) -> cri.ContainerConfig      # oom_score_adj computed inside; expands command/args
#
# kubelet/probes.py
#   @dataclass RunningContainer(name, id, started_s: cluster seconds)
#   class Probes(runtime, events, clock, log, on_change: Callable[[str pod_uid], None])
#       watch(pod, containers: Sequence[RunningContainer], pod_ip) -> None   # call after each sync; idempotent; drops others of the pod
#       forget(pod_uid) -> None
#       started(pod_uid, name, id) -> bool ; ready(pod_uid, name, id) -> bool ; alive(pod_uid, name, id) -> Verdict
#           # Verdict(alive: bool, probe: "Liveness"|"Startup", message, grace_s: int|None)
#       async run() -> None       # owns the probe tasks; start it in the TaskGroup
#
# kubelet/cgroups.py
#   class Cgroups(root: str, *, driver: "cgroupfs"|"systemd", log, mount: Path = /sys/fs/cgroup)
#       async setup_node(cpu_millicores, memory_bytes) ; pod_parent(pod) -> str ("" for root "")
#       async ensure_pod(pod) ; async remove_pod(uid) ; async sweep(active_uids)
#
# kubelet/machine_info.py: read_machine(root_dir: Path, *, cpu: str, memory: str) -> Machine(capacity, allocatable, system, cpu_millicores, memory_bytes, declared)
# kubelet/node.py
#   @dataclass NodeSettings(name, ip, labels: Mapping[str, str], intervals: Intervals, root_dir: Path)
#   class Node(api, runtime, clock, events, log, settings: NodeSettings, machine: Machine, cgroups: Cgroups, *, port: Callable[[], int])
#       async run() -> None ; allocatable() -> Mapping[str, str] ; registered: asyncio.Event ; ready: asyncio.Event
#       def pulse() -> None      # "the CRI came back / went away": look at once
#     Node asks the CRI for its cgroup driver and sets the node's cgroups up, before it registers.
# kubelet/server.py
#   @dataclass(frozen) LoggedContainer(id, attempt, running: bool, log_path: str)
#   class PodLookup(Protocol):
#       def pod(self, namespace: str, name: str, uid: str) -> Pod | None      # with the status that the kubelet knows
#       def containers(self, pod_uid: str, container: str) -> Sequence[LoggedContainer]   # newest first
#   class NodeServer(pods: PodLookup, runtime, clock, log)  -> .handler() : grpc.GenericRpcHandler
#       (app: server = grpc_server([config.listen], ServerTls(cert, key, ca), [node_server.handler()], faults))
# kubelet/logs.py
#   class LogRotation(runtime, clock, log, running: Callable[[], Iterable[LoggedContainer]]): async run()
# kubelet/http_probe.py
#   async http_get(host, port, path, headers: Sequence[tuple[str, str]], scheme, timeout_s WALL) -> tuple[int, bytes]

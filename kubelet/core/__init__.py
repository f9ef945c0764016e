"""What a kubelet decides, without I/O and without a clock: the same input gives the same answer.

- `observed` and `pictures`: what the runtime has, and what to ask it; `containers`, `labels`: reading it;
- `life` (all that is known of one pod), `instructions` (what goes in and comes out), `actions` (what takes time);
- `pod_lifecycle`: the table of stages and the one step that follows it; `pod_invariants`: what always holds;
- `pod_actions`, `pod_stop`, `pod_garbage`, `restart`, `termination`: what is to be done now, and until when;
- `pod_status`, `container_status`, `pod_conditions`, `status_patch`: what the API is told;
- `admission`, `sysctls`, `images`, `environment`, `field_values`, `volumes`, `security`, `network_files`, `cri_config`: how a pod's
  spec becomes containers; `probing`, `probe_urls`: what probes mean and ask for; `log_lines`: which part of a log is shown;
- `eviction`: which pods the node ends by itself;
- `node_status`, `node_watch`, `cgroups`: the node itself; `references`: what events are about.
"""

"""The kubelet: one process for each node, which makes its containers what the API says they should be.

In the order of use:

- `app` puts the parts together; `config` is what the process is told;
- `pod_source` (the API) and `relist` (the runtime, with `start_news`) see what is wanted and what is there;
- `pod_workers` keeps a `pod_worker` for each pod, which feeds `core` and carries its instructions out;
- `pod_executor` leads each action through `sandboxes`, `container_starter`, `container_stopper`, `images`,
  `environment`, `volumes`, `hooks`, `cgroups` and `pod_files`, to `runtime`, the client of the CRI;
- `referenced_objects` follows the ConfigMaps and Secrets that these read;
- `containment` keeps what nobody foresaw in one pod's work from the others;
- `probes` (with `http_probe`, `grpc_probe`) watch what runs; `status_writer` reports it to the API;
- `image_permits` says which pods may use an image that is here, by `image_records`;
- `image_garbage` and `container_garbage` remove what nobody uses;
- `eviction` ends pods that exceed their limits on disk, and pods of a node that runs short;
- `node` and `lease` register the node and keep it alive; `housekeeping` and `log_rotation` tidy up;
- `server` is the kubelet's own door: `logs`, and exec and attach through `exec_streams`.
"""

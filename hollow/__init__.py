"""The hollow runtime: the CRI without containers, for thousands of nodes on one machine.

In the order of use:

- `app` puts the parts together; `config` is what the process is told;
- `runtime_service` and `image_service` answer the RPCs; `views` and `statistics` write what they say;
- `simulation` is the machine: the one place where sandboxes and containers change; `index` finds those of one pod;
- `records` keeps it on disk, so that a runtime that was killed finds its containers where they would be;
- `core.behaviour` reads from annotations how a container behaves, `core.lifetime` derives its state from timestamps,
  `core.addresses` chooses addresses from the node's pod range.
"""

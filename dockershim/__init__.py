"""The CRI over a Docker engine: one process for each node, and the only one that knows Docker.

In the order of use:

- `app` puts the parts together into a `shim`; `config` is what the process is told;
- `rpc` has one module for each RPC of the CRI, or family of them;
- `catalogue` finds our containers; `docker` has the engine's methods, over `engine_connection`;
- `network` connects sandboxes by CNI plugins (`cni_plugin`); `pause_image` makes the image that sandboxes run;
- `events` follows the engine, `logs` copies output into the kubelet's files, `statistics` reads cgroups
  (`unified` writes what the engine cannot);
- `streaming` serves the URLs of exec, attach and port-forward: over WebSocket (`websocket_client`) or over SPDY
  (`spdy_client`, on connections that `upgrade` takes over from HTTP, or within a WebSocket: `websocket_tunnel`);
- `loopback_listener` bounds what those can take who reach it without a URL;
- `command_sessions` is exec and attach for either, `port_forward` connects clients to sandboxes (`sandbox_dial`);
- `exec_process` runs commands and ends them with their clients (`exec_session`);
- `private_images` tells which images are on this node, `pulled_images` which of them it alone has brought; `notes` keeps what the engine does not, `creations` what it has not
  answered yet; `locks` keeps order;
- `seam_engine`, `seam_hijacked` and `seam_plugins` put the seam into both conversations; `purge` removes a cluster;
  `loading` brings images to where nodes find them.
"""

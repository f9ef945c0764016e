"""Many hollow nodes in one process: the real kubelet's logic, once for each, over simulated runtimes.

It stands above `kubelet` and `hollow`, and is the one component that does. In the order of use:

- `app` puts the parts together; `config` is what the process is told;
- `fleet` is all nodes: which are on, who is killed, paused and cut off by name (`control` is asked for it over the socket);
- `node` is one of them: a `hollow.simulation.Simulation` and a `kubelet.app.Kubelet`, and what they take for their process;
- `runtime_channel` is the CRI between the two, without a wire;
- `transport` is a node's way to the apiserver, over connections that all share: `shared_watches` follows each collection
  once for all of them, what many write goes in one request, `link` is where a node is cut off.
"""

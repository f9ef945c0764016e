"""What a cluster is made of, decided without I/O.

In the order of use:

- `spec`: the cluster as the user asked for it, and how many processes of each program that makes;
- `addresses`, `layout`: where everything listens, and where its files are, derived from the spec;
- `places`: the same for one way of launching: processes of this machine, or compose services;
- `certificates`, `components`: every process, described once: flags, certificates, what it waits for;
- `kubeconfig`, `compose`: what is written of it for kubectl and for docker compose;
- `network`, `compose_network`: the nodes' namespaces and cables, and a compose host's tunnel, as commands;
- `supervision`: what the supervisor does about a process that ends.
"""

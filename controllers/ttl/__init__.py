"""The TTL controller: write on each node how long its kubelet may keep what pods refer to, by how many nodes there are.

https://kubernetes.io/docs/reference/labels-annotations-taints/#node-alpha-kubernetes-io-ttl

Differs: Our kubelets watch what their pods refer to and need no such time; it is there for those that do.
"""

from controllers.ttl.controller import build

__all__ = ["build"]

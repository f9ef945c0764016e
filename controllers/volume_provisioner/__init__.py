"""The provisioner of the cluster's own class: a volume is a folder of the node that its first pod goes to.

controller   what it watches, whom a change concerns, what it looks at
plan         a claim or a volume: which of the two plans
making       plan for a claim: a folder at its node, then a volume that says where it is
deleting     plan for a volume whose claim is gone: its folder goes first

To the binder it is an external provisioner, one that happens to run here: it is called by an annotation, and answers with
a volume. The folder is made and removed by the node's kubelet, which is asked through the apiserver.

https://kubernetes.io/docs/concepts/storage/dynamic-provisioning/

Differs: There is none in kube-controller-manager: it provides folders of nodes, as an external provisioner does.
"""

from controllers.volume_provisioner.controller import build

__all__ = ["build"]

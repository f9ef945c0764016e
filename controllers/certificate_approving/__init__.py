"""Approve what kubelets ask for themselves: client certificates of nodes, where somebody may have such.

controller  which requests are looked at
plan        whether a request is a kubelet's; a review says whether it may be approved

https://kubernetes.io/docs/reference/access-authn-authz/kubelet-tls-bootstrapping/#approval
"""

from controllers.certificate_approving.controller import build

__all__ = ["build"]

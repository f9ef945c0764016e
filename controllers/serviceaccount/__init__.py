"""What every namespace has from its first moment: its `default` ServiceAccount and the CA in `kube-root-ca.crt`.

controller  what it watches, whom a change concerns, what it looks at
plan        what is missing, or no longer what it should be

https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
"""

from controllers.serviceaccount.controller import build

__all__ = ["build"]

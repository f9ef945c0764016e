"""The bootstrap signer: sign the ConfigMap `cluster-info` with each bootstrap token that is for signing.

Who has such a token can tell by the signature (a detached JWS) that the kubeconfig there, which anybody may read, is that of
the cluster. Where there is no such ConfigMap, there is nothing to do.

https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/#configmap-signing

Differs: It is off by default in Kubernetes. The ConfigMap is written when the first node joins with a token.
"""

from controllers.bootstrap_signer.controller import build

__all__ = ["build"]

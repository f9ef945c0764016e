"""Sign what has been approved, as Kubernetes' own signers.

controller  which requests are looked at
plan        what each signer signs, for how long, and what it refuses

https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#kubernetes-signers
"""

from controllers.certificate_signing.controller import build

__all__ = ["build"]

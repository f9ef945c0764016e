"""Delete requests for certificates that are of no use any more.

controller  which requests are looked at
plan        how long each is kept

https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#request-signing-process
"""

from controllers.certificate_cleaning.controller import build

__all__ = ["build"]

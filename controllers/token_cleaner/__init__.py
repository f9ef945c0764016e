"""The token cleaner: delete bootstrap tokens that have expired.

https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/#bootstrap-token-secret-format

Differs: It is off by default in Kubernetes.
"""

from controllers.token_cleaner.controller import build

__all__ = ["build"]

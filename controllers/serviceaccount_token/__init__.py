"""Fill Secrets of the type kubernetes.io/service-account-token, and delete those whose account is gone.

controller  which Secrets and accounts are looked at
plan        what a Secret lacks, or that it has to go

https://kubernetes.io/docs/concepts/configuration/secret/#serviceaccount-token-secrets
"""

from controllers.serviceaccount_token.controller import build

__all__ = ["build"]

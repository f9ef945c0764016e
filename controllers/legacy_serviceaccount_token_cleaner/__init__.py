"""The cleaner of legacy tokens: Secrets that an account had made for itself, and that nobody uses any more, go.

Differs: Each Secret is looked at when its time is over, and once a day from then on; Kubernetes' looks at all of them once a day.
The account, the pods and the ConfigMap of the tracking are asked for live.

controller  which Secrets are looked at
plan        whether one is of no use any more: first it is marked, much later it is deleted
references  which Secrets a pod names

https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#legacy-serviceaccount-token-cleaner
"""

from controllers.legacy_serviceaccount_token_cleaner.controller import build

__all__ = ["build"]

"""The ResourceQuota controller: what a namespace's objects take of its quotas, counted afresh.

controller  what it watches, and which changes can make a quota's use smaller
plan        what is asked live, and the status that follows from it

The apiserver charges each write itself (`apiserver.admission.quota`); here is counted what was deleted, what has ended, and
what was charged and never stored. https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

from controllers.resourcequota.controller import build

__all__ = ["build"]

"""The disruption controller: how many pods of a PodDisruptionBudget may be evicted now.

controller  what it watches, whom a change concerns, what it looks at
scales      how many pods there should be, by what controls them
budget      the counts, the pods that an eviction has promised to end, and the condition
plan        what is written for a budget, and for a pod that was to be disrupted and was not

The apiserver takes each eviction from what this allows (`apiserver.core.disruption`).
https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-budgets

Differs: of the budgets that select one pod, each is looked at; Kubernetes looks at one.
"""

from controllers.disruption.controller import build

__all__ = ["build"]

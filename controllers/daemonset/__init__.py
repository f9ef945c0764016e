"""The DaemonSet controller: a pod of a template on every node that suits it.

controller   what it watches, whom a change concerns, what it looks at
placement    which nodes suit a template, and what binds a pod to one of them
failures     how long a failed pod is kept, so that a node that refuses its pods is not fought
standing     all that the plan decides from: which pods are on which nodes, and what the nodes are worth
upkeep       the pods that are missing, and those that are too many
rolling      the next step to the template of now
history      the revision of the template of now, and those that there were
status       the counts that it reports
plan         all of that, put together

https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/

Differs: Pods are deleted before others are made, so that a quota cannot stand in the way; with a surge no pod is made
beside a failed one that is kept; a node that is gone does not stop an update with a surge. Of two equal revisions
none is removed.
"""

from controllers.daemonset.controller import build

__all__ = ["build"]

"""The StatefulSet controller: pods with names that stay, one after the other.

controller  what it watches, whom a change concerns, what it looks at
identity    ordinals and names; the pod of an ordinal
storage     the claims of a pod, and who owns them
members     the pods in their places: read once, for all that decides
turns       what each pod needs next, and who has to wait for it
rolling     which pods an update replaces next
status      the counts that it reports
plan        all of that, put together

**There is one pod of a name, whatever dies.** The store refuses a second pod of a name, deleted or not, until the first
one is gone; a pod is created only in a place that the cache shows empty, and deleted only by its uid and with its
grace: it leaves the store when its kubelet says that it has ended. A pod on a node that is lost stays until somebody
says that the node is gone (deletes it, or taints it as out of service).

https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/

Differs: `maxUnavailable` acts where an object has it, though v1.36 drops it (the gate MaxUnavailableStatefulSet is off
by default there); a pod whose volumes do not fit its claims is not patched, which fails there each time; a name counts as
an ordinal only as it would be written (`web-01` is nobody's).
"""

from controllers.statefulset.controller import build

__all__ = ["build"]

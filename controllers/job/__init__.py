"""The Job controller: run pods of a template until enough of them have succeeded.

controller      what it watches, whom a change concerns, what it looks at and remembers
plan            the status first, then pods, then the end
tally           who works, who has ended, how many count; counting: which pods are counted now, in three steps
verdict         whether and why a Job ends; failure_policy: what becomes of a failed pod
staffing        how many pods there are to be; removal: which go when there are too many; backoff: when to replace
pods            a pod's index, its end, a new one; index_ranges: "0-3,5"
orphans         pods that wait to be counted by nobody

https://kubernetes.io/docs/concepts/workloads/controllers/job/

Differs: A process that begins to lead compares the pods of a Job that has begun with the server's once before it
counts; metrics of Jobs are not built.
"""

from controllers.job.controller import build

__all__ = ["build"]

"""Keep so many pods of a template running: what ReplicaSets and ReplicationControllers have in common.

controller   what such a controller watches, whom a change concerns, what it looks at
plan         who is its pod, how many are missing or too many, and the status
pod_ranking  which pods go first when there are too many

https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/
"""

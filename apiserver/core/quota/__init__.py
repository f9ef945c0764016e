"""ResourceQuota: how much of a namespace's hard limits each object takes, and whether one more fits.

    usage       what one object counts for: pods, services, claims, and the number of everything
    scopes      which pods and claims a quota is about
    evaluators  the table: of each resource, its usage, what a quota may limit, when it is counted
    decision    decide(quotas, write) → refused, or what to add to each quota's `status.used`; `observed_use` counts afresh

Pure, and not in the chain: ResourceQuotas are not served yet. Whoever wires this stores the charge in the quota's status
with its revision compared, before the object, and decides again where the quota has moved on.
https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

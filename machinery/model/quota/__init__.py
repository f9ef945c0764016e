"""ResourceQuota: how much of a namespace's hard limits each object takes, and whether one more fits.

    usage       what one object counts for: pods, services, claims, and the number of everything
    scopes      which pods and claims a quota is about
    evaluators  the table: of each resource, its usage, what a quota may limit, when it is counted
    limited     what may only be taken where a quota says how much
    decision    decide(quotas, write) → refused, or what to add to each quota's `status.used`; `observed_use` counts afresh

Pure. The apiserver charges writes by it (`apiserver.admission.quota`), the ResourceQuota controller counts afresh.
https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

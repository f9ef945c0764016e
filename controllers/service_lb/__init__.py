"""The service-LB controller: a Service of type LoadBalancer gets an address of the pool, and a node that answers for it.

controller  what it watches, whom a change concerns, what it looks at
plan        finalizer, announcing node, address and events; and giving all of it back

Which addresses there are: `controllers.core.address_pool`. The address stands in the status, the node in the annotation
`kubarium.dev/announced-by`: its proxy takes the address. Without a pool Services stay as they are, pending, as in a cluster
without a cloud.
https://kubernetes.io/docs/concepts/services-networking/service/#loadbalancer

Differs: the address is on one node at a time, not before all of them.
"""

from controllers.service_lb.controller import build

__all__ = ["build"]

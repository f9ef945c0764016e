"""The EndpointSlice controller: a Service's pods, in slices of at most 100, with as few writes as possible.

controller  what it watches, whom a change concerns, what it looks at
endpoints   who is in, at which ports, in which state
plan        which slices are made, changed and deleted for that

https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#management

Differs: `trafficDistribution` and the annotation `topology-mode` are not acted on.
"""

from controllers.endpointslice.controller import build

__all__ = ["build"]

"""The EndpointSlice controller: a Service's pods, in slices of at most 100, with as few writes as possible.

controller  what it watches, whom a change concerns, what it looks at
endpoints   who is in, at which ports, in which state, and for whom where the Service prefers what is near
drafts      which endpoints go into which slice
zone_cpus   how the nodes' CPUs are spread over zones,
shares      and which endpoints each zone gets by that, with `topology-mode: Auto`
plan        which slices are made, changed and deleted for that

https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#management
"""

from controllers.endpointslice.controller import build

__all__ = ["build"]

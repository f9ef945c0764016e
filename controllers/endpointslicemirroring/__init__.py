"""The EndpointSlice mirroring controller: Endpoints that somebody writes for a Service without a selector, as slices.

controller  what it watches, whom a change concerns, what it looks at
plan        which slices are made, changed and deleted for Endpoints

https://kubernetes.io/docs/concepts/services-networking/service/#services-without-selectors
"""

from controllers.endpointslicemirroring.controller import build

__all__ = ["build"]

"""The Endpoints controller: a Service's pods in the older form, one object of the Service's name.

controller  what it watches, whom a change concerns, what it looks at
subsets     who is in, at which ports, and what is left out of what is too much
plan        what is written of it

Proxies and DNS read EndpointSlices; whoever still reads Endpoints gets at most 1,000 addresses.
https://kubernetes.io/docs/concepts/services-networking/service/#endpoints
"""

from controllers.endpoints.controller import build

__all__ = ["build"]

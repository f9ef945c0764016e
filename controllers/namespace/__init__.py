"""The deletion of a namespace: all that is in it, pods first, then the namespace itself.

controller  what it watches, whom a change concerns, what it looks at
plan        what is left, what is deleted next, and what the status tells of it

https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/ and KEP-5080 (ordered deletion).
"""

from controllers.namespace.controller import build

__all__ = ["build"]

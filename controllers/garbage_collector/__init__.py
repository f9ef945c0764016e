"""Garbage collection by owner: what nobody owns any more goes, in the manner that its deletion asked for.

controller  what it watches (every kind), whom a change concerns, what it looks at
graph       who names whom as an owner
plan        what becomes of one object

background  the owner goes at once; dependents are found without an owner, and deleted
foreground  the owner waits (finalizer `foregroundDeletion`) until no dependent with blockOwnerDeletion is left
orphan      the owner waits (finalizer `orphan`) until no dependent refers to it

https://kubernetes.io/docs/concepts/architecture/garbage-collection/
https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/
"""

from controllers.garbage_collector.controller import build

__all__ = ["build"]

"""The growth of volumes: a bound claim that asks for more than it has gets it, where its volume can grow.

controller   what it watches: claims, and their volumes
plan         the volume's new size, then the claim's

A folder of a node has no size of its own: the sizes that volume and claim say are all that grows. The volumes of others
are grown by their drivers, and an event says that they are waited for.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#expanding-persistent-volumes-claims

Differs: The volumes of this cluster's own class are folders, which have no size of their own: growth is told, nothing
grows.
"""

from controllers.volume_expand.controller import build

__all__ = ["build"]

"""The claims of generic ephemeral volumes: each pod has its own, made from its template and owned by it.

controller   what it watches: pods, and claims that go
plan         which claims are missing, and which names are taken

https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#generic-ephemeral-volumes
"""

from controllers.ephemeral_volume.controller import build

__all__ = ["build"]

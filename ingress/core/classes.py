"""Which Ingresses are ours: those whose class names this controller.

The class stands in `spec.ingressClassName`, or in the annotation from before there was a field. New Ingresses that name none
get the cluster's default class from the apiserver when they are made; one that still has none is nobody's.

https://kubernetes.io/docs/concepts/services-networking/ingress/#ingress-class
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from machinery.model.k8s.networking_v1 import Ingress, IngressClass

CONTROLLER: Final = "kubarium.dev/ingress"
CLASS_ANNOTATION: Final = "kubernetes.io/ingress.class"


def class_of(ingress: Ingress) -> str:
    """Return the class that an Ingress names, "" for none; its field goes before its annotation."""
    return ingress.spec.ingressClassName or ingress.metadata.annotations.get(CLASS_ANNOTATION, "")


def is_ours(ingress: Ingress, find_class: Callable[[str], IngressClass | None], controller: str) -> bool:
    """Whether an Ingress is the controller's: its class exists, and names it."""
    found = find_class(name) if (name := class_of(ingress)) else None
    return found is not None and found.spec.controller == controller

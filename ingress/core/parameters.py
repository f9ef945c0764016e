"""What a class wants for all of its Ingresses: `spec.parameters` names a ConfigMap, whose keys are names of annotations.

An Ingress' own annotation goes before its class' setting. The ConfigMap stands in the controller's namespace, which is the only
one whose ConfigMaps it reads. What cannot be followed is left out and complained about.

https://kubernetes.io/docs/concepts/services-networking/ingress/#ingress-class
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from ingress.core.annotations import NO_WISHES, Wishes, read_settings
from machinery.model.k8s.core_v1 import ConfigMap
from machinery.model.k8s.networking_v1 import IngressClass, IngressClassParametersReference

REASON = "UnsupportedParameters"  # of the event about a class


@dataclass(frozen=True, slots=True)
class SettingsView:
    """Which ConfigMaps there are.

    Attributes:
        namespace: the controller's own; "" where it has none, and reads none.
        is_known: whether they have been seen at all.
    """

    namespace: str = ""
    find: Callable[[str], ConfigMap | None] = lambda _name: None
    is_known: Callable[[], bool] = lambda: False


class Parameters(NamedTuple):
    """What a class wants, and what is wrong with the rest."""

    wishes: Wishes = NO_WISHES
    complaints: tuple[str, ...] = ()


def are_settings(class_: IngressClass) -> bool:
    """Whether a class' parameters are a ConfigMap."""
    given = class_.spec.parameters
    return given is not None and (given.apiGroup or "", given.kind) == ("", "ConfigMap")


def read_parameters(class_: IngressClass, view: SettingsView) -> Parameters:
    """Return what a class wants for its Ingresses."""
    given = class_.spec.parameters
    if given is None:
        return Parameters()
    if why := _why_not(class_, given, view):
        text = f"spec.parameters ({given.kind} {given.name}) {why}: it is ignored"
        return Parameters(complaints=(text,))
    if not view.is_known():
        return Parameters()
    place = f"ConfigMap {view.namespace}/{given.name}"
    found = view.find(given.name)
    if found is None:
        text = f"spec.parameters: there is no {place}: Ingresses of the class have their annotations alone"
        return Parameters(complaints=(text,))
    wishes, complaints = read_settings(found.data)
    return Parameters(wishes, tuple(f"{place}: {each}" for each in complaints))


def _why_not(class_: IngressClass, given: IngressClassParametersReference, view: SettingsView) -> str:
    if not are_settings(class_):
        return "is not supported, only a ConfigMap is"
    if not view.namespace:
        return "cannot be read without --publish-service, which says where ConfigMaps are read"
    if given.scope != "Namespace" or given.namespace != view.namespace:
        return f"has to be of scope Namespace, in the namespace {view.namespace}"
    return ""

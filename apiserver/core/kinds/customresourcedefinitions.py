"""CustomResourceDefinitions, as far as they can be read: there are none, and none can be made yet (501).

Clients look at them before anything else: kubectl lists them before it says that it does not know a kind, operators
follow them. So the list is served, by discovery as by both doors, and is empty since that is so.
"""

from __future__ import annotations

from typing import Final

from apiserver.core.kind import make_kind
from apiserver.core.rules import Rules
from machinery.model.kinds import KindNames

KIND: Final = make_kind(
    KindNames(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        "customresourcedefinition",
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
        namespaced=False,
        verbs=("get", "list", "watch"),
        short_names=("crd", "crds"),
        categories=("api-extensions",),
    ),
    Rules(storage_prefix="/registry/apiextensions.k8s.io/customresourcedefinitions"),
)

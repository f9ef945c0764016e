"""NamespaceAutoProvision: a namespace comes into being with the first object in it; off by default.

https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#namespaceautoprovision
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from apiserver.core.admission.attributes import Attributes, LookedUp, LookupKey, forbidden
from apiserver.core.values import Json
from machinery.model.errors import Definite
from machinery.model.k8s import served

_CLUSTER: Final = ""


@dataclass(frozen=True, slots=True)
class MissingNamespaces:
    """Creates namespaces; that another was faster is as good for `create`."""

    create: Callable[[str], Awaitable[None]]

    async def provide(
        self, attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp
    ) -> LookupKey | None:
        """Create the namespace of a new object, where it was looked up in vain; returns what to look up again.

        Raises:
            Forbidden: there can be none of that name.
        """
        key = ("", served.NAMESPACES.plural, _CLUSTER, attributes.namespace)
        is_missing = key in looked_up and looked_up[key] is None
        if not is_missing or attributes.dry_run or not attributes.creates(old):
            return None
        try:
            await self.create(attributes.namespace)
        except Definite as error:
            raise forbidden(attributes, obj, error.message) from error
        return key

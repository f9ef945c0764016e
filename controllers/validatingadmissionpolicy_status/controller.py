"""What the checking of policies watches and looks at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.definitions import DEFINITIONS, Definition
from controllers.core.keys import itself
from controllers.core.moment import Moment
from controllers.validatingadmissionpolicy_status.kinds import groups_of, known_kinds
from controllers.validatingadmissionpolicy_status.plan import POLICIES, Seen, plan

_OF_GROUP: Final = "group"


def build(caches: Caches, settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    policies = caches.ask(POLICIES, fields=("metadata.generation", "spec", "status"))
    definitions = caches.ask(DEFINITIONS, fields=("spec", "status"), indexes={_OF_GROUP: _group})

    def look(key: Key, _moment: Moment) -> Seen | None:
        policy = policies.store.get("", key[1])
        if policy is None:
            return None
        groups = groups_of(policy.spec)
        custom = [each for group in groups for each in definitions.store.by_index(_OF_GROUP, group)]
        return Seen(policy, known_kinds(custom), settings.published)

    return Controller(
        "validatingadmissionpolicy-status",
        (Watched(policies, itself),),
        look,
        plan,
        writes=frozenset({"patch validatingadmissionpolicies.admissionregistration.k8s.io/status"}),
    )


def _group(definition: Definition) -> Iterable[str]:
    return (definition.spec.group,)

"""Admission: what the cluster adds to an object or refuses, after it was authorized and read, before its rules.

    chain = make_chain(chosen(enabled, disabled))   → the plugins that are on, in upstream's order
    keys = chain.needs(attributes, obj, old)        → what to look up (the registry does, from its caches or the store)
    obj = chain.admit(attributes, obj, old, looked_up, settings)       create, update, patch, and writes to subresources
    warnings = chain.validate(attributes, obj, old, looked_up, settings)   the same writes, once the object is ready to store
    demands = chain.demands(attributes, obj, old)   → permissions that its user needs for that, too
    chain.admit_delete(attributes, old, looked_up)  delete, and each object of a deletecollection

All of it is pure; the plugins are one file each, their order is the table in `chain`. What waits for something
(webhooks, policies, quotas) is in `apiserver.admission`.
https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/
"""

from __future__ import annotations

from apiserver.core.admission.attributes import (
    EVERY_NAME,
    Attributes,
    Demand,
    LookedUp,
    LookupKey,
    Permission,
    Settings,
    User,
)
from apiserver.core.admission.chain import DEFAULT_CHAIN, LATER, Chain, check_built, chosen, make_chain

__all__ = [
    "DEFAULT_CHAIN",
    "EVERY_NAME",
    "LATER",
    "Attributes",
    "Chain",
    "Demand",
    "LookedUp",
    "LookupKey",
    "Permission",
    "Settings",
    "User",
    "check_built",
    "chosen",
    "make_chain",
]

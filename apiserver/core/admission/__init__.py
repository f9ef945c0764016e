"""Admission: what the cluster adds to an object or refuses, after it was authorized and read, before its rules.

    keys = needs(attributes, obj, old)      → what to look up (the registry does, from its caches or the store)
    obj = admit(attributes, obj, old, looked_up, settings)       create, update, patch, and writes to subresources
    warnings = validate(attributes, obj, old, looked_up, settings)   the same writes, once the object is ready to store
    admit_delete(attributes, old, looked_up)                     delete, and each object of a deletecollection

All of it is pure; the plugins are one file each, their order is the table in `chain`. What Kubernetes has and is
not here (quotas, limit ranges, webhooks) is not built.
https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/
"""

from __future__ import annotations

from apiserver.core.admission.attributes import (
    EVERY_NAME,
    Attributes,
    LookedUp,
    LookupKey,
    Settings,
    User,
)
from apiserver.core.admission.chain import admit, admit_delete, needs, validate

__all__ = [
    "EVERY_NAME",
    "Attributes",
    "LookedUp",
    "LookupKey",
    "Settings",
    "User",
    "admit",
    "admit_delete",
    "needs",
    "validate",
]

"""The part of admission that waits: for the store, for other servers, for what expressions cost.

    quota       what a write takes of its namespace's ResourceQuotas: compared and set before the object is stored

What decides without waiting is in `apiserver.core.admission`; `apiserver.registry.admitting` runs both.
"""

"""The registry: the one path of every read and every write, whichever door it came through.

facade        what a door calls; finds the kind and the part that serves the request
reads         get, list, watch: from the watch cache, or from the store where a revision asks for it
writes        create, update, patch; preparing: read → admit → prepare → claim → check
deletion      delete and deletecollection
subresources  status, scale, binding, eviction, finalize
modify        how all of them store: compare and set, again from the live object where the cache was behind
admitting     looks up what admission asks about
posted        the admission of what is answered, or changes another object, and is not stored itself
fences        writes that hold only while their writer leads
parts         what all of them work with
"""

from __future__ import annotations

from apiserver.registry.facade import Handler, Handlers, Listers, Registry
from apiserver.registry.parts import Parts
from apiserver.registry.posted import Posted

__all__ = ["Handler", "Handlers", "Listers", "Parts", "Posted", "Registry"]

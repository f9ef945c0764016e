"""Server-side apply and metadata.managedFields: who owns which field of an object. Pure; `apiserver.registry.tracking` calls it.

topology      how the values of a type merge: the schema as apply sees it
elements      a step to a part of a value, as text: f:replicas, k:{"name":"web"}
field_set     sets of fields, in the form of FieldsV1
compare       what changed between two states; owned: the fields of a configuration; merge, remove: change an object
managers      the entries of managedFields; validation: what they have to look like
tracker       what is known of the kind and the subresource that a request writes to; trackers: those of a catalogue
transfer      who loses what by a change, and conflicts in Kubernetes' words
update        create, update, patch: `track_update` → the managedFields to store
apply         server-side apply: `apply_configuration` → the object and its managedFields, or a Conflict
scale         the owners of replicas, seen from the scale
"""

from __future__ import annotations

from apiserver.core.apply.apply import Applied, apply_configuration
from apiserver.core.apply.topology import Topologies
from apiserver.core.apply.tracker import Tracker, UnknownVersion
from apiserver.core.apply.update import track_update

__all__ = ["Applied", "Topologies", "Tracker", "UnknownVersion", "apply_configuration", "track_update"]

"""The binder: it brings PersistentVolumes and the claims to them together, and says what became of each.

controller    what it watches, whom a change concerns, what it looks at
plan          a claim or a volume: which of the two plans
claims        plan for a claim: its volume, or what it waits for
volumes       plan for a volume: available, bound, or released
binding       the writes that bind the two, and undo it

A binding is two references: the volume's to the claim comes first, the claim's to the volume second, each at the
revision that was seen. Whatever is half done is finished, or undone, from what is then there.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding

Differs: Planned when something changes, not every 15 seconds; a claim is Lost only after a live look; Recycle is
refused; a claim that is being deleted is not bound anew.
"""

from controllers.persistentvolume_binder.controller import build

__all__ = ["build"]

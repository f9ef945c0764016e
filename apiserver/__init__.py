"""The apiserver: two front doors over one write path, the only component that knows etcd.

In the order of use:

rest, services   the doors: HTTP for everybody, gRPC for the cluster's components
authentication   who asks; `gate` decides whether they may
registry         reads and writes of every kind
aside            beside the event loop: work that would hold it up
core             what is decided on the way, without I/O: kinds and their rules, admission, patches, discovery
watch_cache*     the objects as lists and watches need them, fed by one watch of the store (`watch_cache_feed`)
storage          etcd, and its stand-in in memory
bootstrap, presence, allocation, compaction      what an apiserver does on its own
checking         what would become of new objects, asked by a message: `python -m apiserver.checking`
app              the composition root: how all of it is put together and run
"""

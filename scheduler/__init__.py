"""The scheduler: it finds a node for every pod that has none.

__main__, config, app  the process: flags, and how its parts are put together
cluster_watch          from watch events to the snapshot and the queue of waiting pods; storage_watch, device_watch: of what they use
predecessor            what an earlier leader has bound is counted first
loop                   one decision at a time, any number of bindings under way
pre_bind               who writes what plugins reserve: volume_binder, device_binder
binder                 one binding, whose outcome is always found out
status_writer          why a pod fits nowhere, in its PodScheduled condition
simulation             what it would decide, asked by a message: `python -m scheduler.simulation`
core                   the decisions themselves, without I/O
"""

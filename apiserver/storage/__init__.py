"""Where objects live: etcd, or this process' memory in tests. The only package that knows etcd.

In the order of use:

interface          what a store is: keys with values and revisions, transactions that compare, watches
memory             one in this process; the same contract suite runs on both
etcd               one in etcd: transactions, pages, watches, shared leases
endpoints, seam    which member is asked, and what may be between
channel            calls on one connection to one member, in the shape of a grpc.aio.Channel
http2_connection   the socket, the time and those who wait
http2, hpack       the protocol: bytes in, events out, no I/O (docs/adr/0011)
"""

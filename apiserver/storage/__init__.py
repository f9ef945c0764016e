"""Where objects live: etcd, or this process' memory in tests. The only package that knows etcd.

In the order of use:

interface          what a store is: keys with values and revisions, transactions that compare, watches
memory             one in this process; the same contract suite runs on both
etcd               one in etcd: transactions, pages, watches, shared leases
endpoints, seam    which member is asked, and what may be between

What carries the calls is `machinery.rpc`.
"""

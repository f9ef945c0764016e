"""What the apiserver decides, without I/O.

In the order in which a write uses it:

    decode.read_json → writes.read (normalize, defaults) → admission.admit → writes.prepare_* → writes.check_*
        → admission.validate → the store

catalogue, kind, rules   which kinds are served, in which versions, and what is special about each
kinds                    the rules of single kinds; podspec, batch, workloads and service_* are what some share
schema, normalize, strictness, patch, metadata, deletion, scaling   what holds for every kind
authn*, authz            who asks, and whether they may
admission, pod_security  what the cluster adds to objects and refuses; what namespaces demand of their pods
quota, amounts           how much of a namespace's quotas a write takes (not wired yet); sums of resources
listing, table, discovery, openapi*                        how objects and kinds are shown

Objects are plain dicts as JSON gives them. A function here never changes an object that it was not given for
that purpose; where it is, its docstring says so ("owns").
"""

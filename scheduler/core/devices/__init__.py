"""Which devices a pod's claims get: https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/.

In the order of use:

pools        what drivers say of their devices, by pool, and which of them a node can use
selectors    whether a device is what a class and a request ask for (CEL, imported when the first one is asked)
asking       what a claim asks for, request by request
allocator    the search: devices for all claims of a pod on one node, or none
results      what is written into a claim that has got its devices
inventory    claims, classes and pools as the scheduler believes them to be

What is allocated by is what Kubernetes v1.36 has as stable, with taints and tolerations, shared counters and distinct attributes
beside; capacity that several claims share is not (docs/adr/0047-devices.md).
"""

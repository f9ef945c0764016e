"""Values and rules that every component shares: no I/O, no clock, nothing that waits for anything but a `Clock`.

errors              every way in which a request ends without success, split by what the caller does next
clock, backoff, insist, profile   time as it is handed in, and Kubernetes' intervals; trying again
kinds, resources, k8s             what kinds are called, where they live, their types (generated)
requests, causes, fields          the words of requests; because of what they are made; paths of fields
seam, fault_plan                  the one seam of every conversation, and what a plan does there
store                             a collection's copy, with its indexes
names, selectors, quantity, sysctls, cron, time_zones   the syntax of Kubernetes' texts
pods, owners, conditions, taints, placement, endpoints   rules that several components apply to objects
simulation, checking              what the handle asks parts of other programs, and what they answer
log, varints                      events with keys, as libraries see them; a number on protobuf's wire
"""

"""A cluster's objects, any number of each, and a world of all controllers over them, whose work is counted.

objects    what they are made of
cluster, workloads, services, storage    one function a kind: the n-th object of it
world      all controllers over their caches
"""

"""What the scheduler would decide, without a cluster.

world      the objects of a cluster, as a snapshot and the pods that wait
placing    pods that wait are decided on one after the other, by the scheduler's own queue and `schedule`
using      what is requested of each node, for people to look at
"""

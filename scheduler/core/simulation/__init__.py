"""What the scheduler would decide, without a cluster.

world      the objects of a cluster, as a snapshot and the pods that wait
placing    pods that wait are decided on one after the other, by the scheduler's own queue and `schedule`
capacity   how many pods like one fit
leaving    which nodes could go; disruptions: how many pods a PodDisruptionBudget lets go
using      what is requested of each node, for people to look at
"""

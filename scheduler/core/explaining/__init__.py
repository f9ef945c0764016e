"""Why a pod goes where it goes: what `kubarium explain pod` shows.

table      what each plugin of a profile says of each node: its verdict, raw score, points
changes    what could be changed of the pod or of nodes, by what rejects it
hints      which of these changes make it fit, on which nodes: each was tried
"""

"""Simulations: the scheduler's own decisions, without a cluster.

simulation   the library call, from objects to what becomes of them
files        the objects of YAML and JSON files
state        the objects of a cluster, taken through its apiserver, and saved
asking       processes of the scheduler's and the apiserver's programs answer questions
"""

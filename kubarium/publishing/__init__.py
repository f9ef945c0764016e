"""Ports of the machine that lead to Services: what `kubarium up --publish` and `kubarium tunnel` run.

__main__, config, app  the process that a cluster with published ports has
wayfinder              where each publication leads at present, by the cluster's Services and nodes
dialing                connections and datagrams to a place, from the machine or from within a node
forwarding             what comes in at a port goes there, and back

What is decided stands in `kubarium.core.publications`.
"""

"""The scheduler's decisions, without I/O.

pod, needs, owners      a pod as decisions see it: what it asks of a node, and whose it is
essential               what is kept of a pod, and what pods of a template share of it
affinity, labels        terms of affinity between pods, and which of them are about a pod
node, snapshot          the nodes with the sums of their pods, kept up to date change by change
framework, rejection    what a plugin is, and what it says to a pod or a node
plugins                 one rule of scheduling per module; spread and devices have the arithmetic of two of them
registry, profile       which plugins there are, and which of them look at whose pods, with which weights
pipeline, evaluation,   the engine: the verdicts of a profile's plugins about every node, kept per need, of which only the
evaluations             outdated ones are worked out again
like_nodes, domains     what it counts: nodes that all scores see alike, and the values of a topology label
preemption, findings, who has to go for a pod of higher priority, and from which node; which nodes are kept for whom
candidates,
nominations, budgets
schedule, pod_verdicts, one decision, and the message of a pod that fits nowhere
messages
queue, cluster_events   which pods wait, and which change wakes whom
explaining              what every plugin says of every node, and what would let a pod fit
simulation              decisions on objects alone, without a cluster
unbuilt                 constraints that no plugin here understands
condition               the PodScheduled condition
"""

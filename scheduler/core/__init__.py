"""The scheduler's decisions, without I/O.

pod, needs, owners      a pod as decisions see it: what it asks of a node, and whose it is
node, snapshot          the nodes with the sums of their pods, kept up to date change by change
plugins                 one rule of scheduling per module; rejection is what a filter says
unbuilt                 constraints that no plugin here understands: such a pod is left alone
evaluation, like_nodes, the verdicts of all plugins about every node, of which only the outdated ones are
spreading               worked out again
schedule, messages      one decision, and the message of a pod that fits nowhere
queue, hints            which pods wait, and which change wakes whom
condition               the PodScheduled condition
"""

"""Priority and fairness: whose request is served now, whose waits, whose is refused.

In the order of use:

configuration   FlowSchemas and PriorityLevelConfigurations, read; `suggested` has those of every cluster
levels    the priority levels: what share of the seats is whose, and in which order
schemas   which level, and which flow in it, a request belongs to
seats     who has a seat and who waits for one: requests come, leave and give up; a plain state machine

The shell is `apiserver.flow_control`. Words and defaults are Kubernetes':
https://kubernetes.io/docs/concepts/cluster-administration/flow-control/
"""

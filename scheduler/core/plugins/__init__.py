"""One rule of scheduling per module: a filter is a yes or a no, a score a number.

    pod ─▶ gates ─▶ filters, in this order, the first that rejects a node is its reason
           node_unschedulable, node_name, taint_toleration, node_affinity, node_ports, node_resources_fit,
           topology_spread
        ─▶ scores of the nodes that are left, added up with their weights
           3 x taint_toleration, 2 x node_affinity, 2 x topology_spread,
           1 x node_resources_fit (least allocated), 1 x balanced_allocation, 1 x image_locality

https://kubernetes.io/docs/reference/scheduling/config/#scheduling-plugins
"""

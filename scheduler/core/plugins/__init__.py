"""The plugins: one idea per module, the rule itself a function of its own. `scheduler.core.registry` has their order.

    pod ─▶ gates: scheduling_gates, dynamic_resources
        ─▶ what the whole pod lacks: unbuilt, volume_binding, volume_zone, dynamic_resources
        ─▶ filters, the first that rejects a node is its reason
           node_unschedulable, node_name, taint_toleration, node_affinity, node_ports, node_resources_fit,
           volume_restrictions, node_volume_limits, volume_binding, volume_zone, dynamic_resources, topology_spread, inter_pod_affinity
        ─▶ no node is left: default_preemption, dynamic_resources
        ─▶ scores of the nodes that are left, added up with their weights
           3 x taint_toleration, 2 x node_affinity, 2 x topology_spread, 2 x inter_pod_affinity,
           1 x node_resources_fit (least allocated), 1 x balanced_allocation, 1 x image_locality
        ─▶ what the pod gets beside its node: volume_binding, dynamic_resources

https://kubernetes.io/docs/reference/scheduling/config/#scheduling-plugins
"""

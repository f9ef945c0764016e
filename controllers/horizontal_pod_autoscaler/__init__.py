"""The HorizontalPodAutoscaler controller: as many pods as their load, or another number, asks for.

controller      what it watches, what it remembers, what it looks at
memory          what it remembers of each: recommendations, and how far it has scaled lately
target          what is scaled: which resource that is, and its Scale
pod_metrics     which pods count, and what is known of each
replicas        how many pods a number asks for
custom_metrics  numbers that others know: of pods, of objects, from outside
metrics         a metric of the spec: what is asked, what it comes to, how its status shows it
computing       all metrics together
limits          how fast and how far it may go: stabilization, policies, bounds
conditions      what its status says of that
plan            all of that, put together

https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/

Differs: Its periods and tolerance are Kubernetes' defaults and no flags; its metrics are not built.
"""

from controllers.horizontal_pod_autoscaler.controller import build

__all__ = ["build"]

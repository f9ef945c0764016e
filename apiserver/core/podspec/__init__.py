"""A pod's spec, alone or in a template.

In the order in which a write uses it:

unbuilt, unenforced   what Kubernetes has and a node here does not do: refused, or warned of
defaults              what an absent field means
spec, template, annotations   the rules; one module for each part of a spec: containers, env, probes, volumes…
update                what of a pod may change
status, binding       what is written after it: its status, its node, its eviction
"""

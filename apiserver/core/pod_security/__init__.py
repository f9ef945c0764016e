"""The Pod Security Standards, and what becomes of pods that do not keep to them.

    policy       what the labels of a namespace ask for
    violations   what a check finds, and its sentences
    baseline, restricted   the checks, one function a rule
    standards    the table: which level has which rule, since which version → evaluate(standard, metadata, spec)
    decision     refused, warned of, noted: a pod, a template, the change of a namespace

Admission asks it in `apiserver.core.admission.pod_security`.
"""

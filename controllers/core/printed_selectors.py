"""Label selectors as Kubernetes prints them in events (Go's %+v)."""

from __future__ import annotations

from machinery.model.k8s.meta_v1 import LabelSelector


def printed(selector: LabelSelector | None) -> str:
    """Write a selector."""
    if selector is None:
        return "nil"
    labels = "".join(f"{key}: {value}," for key, value in sorted(selector.matchLabels.items()))
    terms = "".join(
        f"LabelSelectorRequirement{{Key:{each.key},Operator:{each.operator},Values:[{' '.join(each.values)}],}},"
        for each in selector.matchExpressions
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{terms}}},}}"
    )

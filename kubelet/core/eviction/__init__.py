"""When a kubelet ends pods by itself: because they use more disk than they may, or because the node runs short.

https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/
https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#local-ephemeral-storage

- `thresholds`: what the node has to have left, as flags and KubeletConfiguration say it; which of them are met; `settings`: all that is told;
- `pressure`: what presses now and since when, which conditions follow, and what is to be reclaimed;
- `usage`: what pods use; `ranking`: in which order they go; `limits`: which pods exceed a limit of their own;
- `words`: the messages that users of Kubernetes know.
"""

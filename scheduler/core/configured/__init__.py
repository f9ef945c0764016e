"""KubeSchedulerConfiguration files, v1: what they may say, and the profiles that come of it.

documents   the file's fields, and where in it something is wrong
args        the arguments of plugins: from each plugin's fields to the plugin
points      which plugins are at which points, by `plugins` of a profile
profiles    the whole: profiles, and remarks about what is read and has no effect

https://kubernetes.io/docs/reference/config-api/kube-scheduler-config.v1/
"""

"""Who everybody is: keys, certificates, kubeconfigs, and the ids of a node."""

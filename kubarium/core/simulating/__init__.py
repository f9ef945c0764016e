"""What `kubarium simulate` and `kubarium explain pod` are made of, without I/O.

manifests    documents of files become objects that know where they stand
workloads    a Deployment, a Job… becomes the pods that its controller would make
completing   what a file leaves out and decisions need: requests by limits, priorities, what a node has for pods
quantities   amounts that are none, by their fields
report       what came of it, for people and for programs
explained    an explanation of one pod, likewise
capacities   how many more fit, and which nodes could go
picture      the same as a page of HTML, which looks as `style` says
amounts      how people write amounts
"""

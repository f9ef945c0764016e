"""The controllers: they bring what the API says is closer to what it says should be, one plan at a time.

__main__, config, app  the process: flags, and how its parts are put together
table                  the controllers that a cluster has, one line for each
replicaset, …          one folder for each: what it watches, what it looks at, what it plans; no I/O
core                   what the folders share: what a controller, a plan and a cache request are
informers              the caches that were asked for, filled by watches
manager                one controller at work: its queue, its questions, its waits
execute                carries plans out; answers asks the apiserver what a cache cannot answer; run_all is both's
"""

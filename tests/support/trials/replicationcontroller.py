"""A ReplicationController does what a ReplicaSet does."""

from functools import partial

from controllers import replicationcontroller
from controllers.core.workloads import REPLICATION_CONTROLLERS
from tests.support.trials.replicaset import a_replica_set_scales
from tests.support.trials.trial import Trial

COURSE = partial(a_replica_set_scales, resource=REPLICATION_CONTROLLERS)
TRIALS = (Trial(COURSE, (replicationcontroller.build,), writes=9),)

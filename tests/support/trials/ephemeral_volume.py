"""Pods with volumes of their own."""

from controllers import ephemeral_volume
from tests.support.trials.trial import Trial
from tests.support.volume_courses import a_pod_has_volumes_of_its_own

TRIALS = (Trial(a_pod_has_volumes_of_its_own, (ephemeral_volume.build,), writes=3),)

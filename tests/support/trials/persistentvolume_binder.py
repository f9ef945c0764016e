"""Claims and volumes are bound."""

from controllers import persistentvolume_binder
from tests.support.trials.trial import Trial
from tests.support.volume_courses import volumes_are_bound

TRIALS = (Trial(volumes_are_bound, (persistentvolume_binder.build,), writes=8),)

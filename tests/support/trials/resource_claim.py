"""Claims of devices."""

from controllers import resource_claim
from tests.support.device_claims import devices_are_used_and_freed
from tests.support.trials.trial import Trial

TRIALS = (Trial(devices_are_used_and_freed, (resource_claim.build,), writes=7),)

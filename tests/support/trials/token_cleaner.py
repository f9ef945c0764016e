"""Bootstrap tokens expire."""

from controllers import bootstrap_signer, token_cleaner
from tests.support.trials.bootstrap_signer import tokens_come_and_go
from tests.support.trials.trial import Trial

TRIALS = (Trial(tokens_come_and_go, (token_cleaner.build, bootstrap_signer.build), writes=3),)

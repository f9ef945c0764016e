"""`python -m kubarium`."""

import sys

from kubarium.cli import main

sys.exit(main())

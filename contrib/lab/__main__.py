"""`python -m contrib.lab`."""

import sys

from contrib.lab.cli import main

sys.exit(main())

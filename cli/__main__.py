"""``python -m cli <command>``."""

import sys

from cli.app import main

sys.exit(main())

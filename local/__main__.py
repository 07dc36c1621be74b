"""``python -m local <command>``."""

import sys

try:
    from local.cli import main
except KeyboardInterrupt:  # Ctrl-C while Python still loads the libraries
    sys.exit(130)

sys.exit(main())

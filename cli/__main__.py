"""``python -m cli COMMAND``: what the launcher `lake` runs."""

import sys

try:
    from cli.app import main
except KeyboardInterrupt:  # Ctrl-C while Python still loads the libraries
    sys.exit(130)

main()

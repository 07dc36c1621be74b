"""``python -m cli COMMAND``: what the launcher `lake` runs."""

from cli.app import main

main()

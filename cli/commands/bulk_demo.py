"""Load both bulk data sets on this laptop, with generated files.

The jobs run on local Spark, which needs Java 17. Afterwards it runs three queries.
"""

from __future__ import annotations

from typing import Final

from cli import environments
from cli.stack import need_room, run_bulk_demo
from cli.terminal import Terminal

EXAMPLES: Final = ("./lake bulk-demo",)


def command() -> None:
    """Run the command; see the module."""
    need_room()
    environments.need("sam", "emulator", "spark")
    run_bulk_demo(Terminal().console)

"""Create the views in Athena, or replace them.

Run it once after the first deployment, and again when queries/views changes. On the laptop the views always exist;
there the command checks that each one works.
"""

from __future__ import annotations

from typing import Final

from cli.athena import connect
from cli.options import Laptop, Stack
from cli.stack import DEFAULT_STACK, Lake, find
from cli.terminal import Terminal
from queries import views

EXAMPLES: Final = ("./lake views",)


def command(*, laptop: Laptop = False, stack: Stack = DEFAULT_STACK) -> None:
    """Run the command; see the module."""
    run(find(laptop=laptop, stack=stack), Terminal())


def run(lake: Lake, terminal: Terminal) -> None:
    """Create or replace the views; on the laptop, where they always exist, try them.

    Raises
    ------
    LakeError
        Athena rejects a view, or a view does not work.
    """
    athena = connect(lake)
    every = views()
    terminal.heading(f"Views of {lake.place}")
    with terminal.progress("Views", len(every)) as progress:
        for number, (name, view) in enumerate(every.items()):
            progress.update(number, name)
            if lake.on_laptop:
                athena.run(f"SELECT * FROM {name} LIMIT 0")  # noqa: S608 # nosec B608 # a name of ours
            else:
                athena.run(view.create)
            terminal.done(name)
    if lake.on_laptop:
        terminal.say(f"The {len(every)} views work. On the laptop they always exist, as in queries/views.")
    else:
        database = lake.output("DatabaseName")
        terminal.say(
            f"The {len(every)} views are in the database {database}; docs/data-dictionary.md describes them."
        )

"""`make views`: the views of queries/views in Athena."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.athena import connect
from queries import views

if TYPE_CHECKING:
    from cli.stack import Lake
    from cli.terminal import Terminal


def run(lake: Lake, terminal: Terminal) -> None:
    """Create the views, or replace those that exist; on the laptop, where they need no creating, try them.

    Raises
    ------
    QueryFailed
        Athena refuses one, or one does not work.
    OpsError
        The stack does not say where its Athena is.
    """
    athena = connect(lake)
    every = views()
    terminal.heading(f"Views of {lake.place}")
    with terminal.progress("Views", len(every)) as progress:
        for number, (name, view) in enumerate(every.items()):
            progress.update(number, name)
            if lake.target == "laptop":
                athena.run(f"SELECT * FROM {name} LIMIT 0")  # noqa: S608 # nosec B608 # a name of ours
            else:
                athena.run(view.create)
            terminal.done(name)
    if lake.target == "laptop":
        terminal.say(
            f"The {len(every)} views work. On the laptop they are always there, as queries/views has them."
        )
    else:
        database = lake.output("DatabaseName")
        terminal.say(
            f"The {len(every)} views are in the database {database}; docs/data-dictionary.md describes them."
        )

"""The Athena of a deployed lake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.stack import laptop_athena
from spotify_lake.athena import Athena

if TYPE_CHECKING:
    from cli.stack import Lake


def connect(lake: Lake) -> Athena:
    """Return the lake's workgroup and database; on the laptop, one that knows the views and Athena's SQL.

    Raises
    ------
    OpsError
        The stack has no such outputs.
    """
    if lake.on_laptop:
        return laptop_athena(lake)
    return Athena(lake.client("athena"), lake.output("AthenaWorkGroupName"), lake.output("DatabaseName"))

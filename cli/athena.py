"""The Athena of a deployed lake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.athena import Athena
from local.sql_dialect import on_laptop

if TYPE_CHECKING:
    from cli.stack import Lake


def connect(lake: Lake) -> Athena:
    """Return the lake's workgroup and database; on the laptop, one that knows the views and Athena's SQL.

    Raises
    ------
    OpsError
        The stack does not name them.
    """
    workgroup, database = lake.output("AthenaWorkGroupName"), lake.output("DatabaseName")
    if lake.target == "laptop":
        return on_laptop(lake.client, workgroup, database)
    return Athena(lake.client("athena"), workgroup, database)

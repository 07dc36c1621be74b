"""Complete stacks/quicksight.yaml: the columns of the data sets, and the dashboard.

A data set gets the columns of its view that QuickSight can read, with their types from the view's header. The dashboard
shows what the analysis shows. Everything else is written in the file itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from queries import Statement

STACK: Final = Path(__file__).parents[1] / "stacks" / "quicksight.yaml"

# Arrays and booleans are left out: QuickSight cannot read arrays from Athena, and the dashboard needs no booleans.
TYPES: Final = {
    "string": "STRING",
    "int": "INTEGER",
    "bigint": "INTEGER",
    "double": "DECIMAL",
    "date": "DATETIME",
    "timestamp": "DATETIME",
}
# The only comments that the file keeps.
_HEAD: Final = """\
# `make schema` writes InputColumns from queries/views and copies the Analysis' Definition to the Dashboard.
# Change the rest here; it also restores the layout, and drops other comments.
"""


def stack(views: Mapping[str, Statement]) -> str:
    """Return stacks/quicksight.yaml as it should be, in what `make schema` writes.

    Parameters
    ----------
    views
        By name; a data set names its own.
    """
    template = yaml.safe_load(STACK.read_text())
    resources = template["Resources"]
    for resource in resources.values():
        if resource["Type"] == "AWS::QuickSight::DataSet":
            [table] = resource["Properties"]["PhysicalTableMap"].values()
            relational = table["RelationalTable"]
            types = views[relational["Name"]].types
            relational["InputColumns"] = [
                {"Name": name, "Type": TYPES[kind]} for name, kind in types.items() if kind in TYPES
            ]
    analysis, dashboard = (resources[name]["Properties"] for name in ("Analysis", "Dashboard"))
    dashboard["Definition"] = analysis["Definition"]
    return _HEAD + yaml.dump(template, Dumper=_Plain, sort_keys=False, width=120)


class _Plain(yaml.SafeDumper):
    """Writes equal parts in full: CloudFormation cannot read aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - yaml's own name
        return True

"""Generate what follows from spotify_lake's schema and quality rules, from queries/ and the commands of `./lake`.

That is the `latest_` views, the sources of dbt, and parts of nested stacks and of the documentation: see `tools.pages`.

`python -m tools.schema` rewrites the files; `python -m tools.schema --check` reports whether they are up to date.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from queries import views as all_views
from spotify_lake.normalize.quality import RULES
from spotify_lake.schema.listening import LIBRARY, LISTENING_TABLES
from spotify_lake.schema.playlists import TABLES
from spotify_lake.schema.types import PARTITION, Column, Table
from spotify_lake.schema.warehouse import WAREHOUSE
from tools import catalog, commands, dbt, pages, queries, quicksight, snippets

ROOT: Final = Path(__file__).parents[1]
DICTIONARY: Final = ROOT / "docs" / "data-dictionary.md"


def dictionary(views: str) -> str:
    """Return docs/data-dictionary.md; `views` is its part about them."""
    described = [
        _described(table, (*table.columns, PARTITION), "##", " within a snapshot") for table in TABLES
    ]
    listening = [
        _described(table, (*table.columns, *((table.partition,) if table.partition else ())), "###")
        for table in LISTENING_TABLES
    ]
    listening.append(_described(LIBRARY, (*LIBRARY.columns, PARTITION), "###", " within a snapshot"))
    warehouse = []
    for declared in WAREHOUSE:
        partitions = [partition.column for partition in declared.partitions]
        by = f" Partitioned by {', '.join(column.name for column in partitions)}." if partitions else ""
        columns = (*declared.table.columns, *partitions)
        warehouse.append(_described(declared.table, columns, "###", after=by))
    rules = (
        (f"`{rule.name}`", f"{rule.table.name}.{rule.column}", rule.meaning, "yes" if rule.breaking else "no")
        for rule in RULES
    )
    return pages.filled(
        DICTIONARY,
        {
            "tables": "\n\n".join(described),
            "listening": "\n\n".join(listening),
            "warehouse": "\n\n".join(warehouse),
            "rules": pages.table(("rule", "column", "each value", "breaking"), rules),
            "views": views,
        },
    )


def _described(table: Table, columns: Sequence[Column], level: str, within: str = "", after: str = "") -> str:
    rows = (
        (
            f"`{column.name}`",
            str(column.type).replace("<", "\\<"),
            column.description,
            column.null_when or "never",
            f"`{column.example}`",
        )
        for column in columns
    )
    return (
        f"{level} {table.name}\n\n"
        f"{table.description} One row: {table.grain}. Unique{within}: {', '.join(table.key)}.{after}\n\n"
        + pages.table(("column", "type", "meaning", "null when", "example"), rows)
    )


def main(arguments: list[str]) -> int:
    """Write or check the generated files; returns the exit code."""
    wanted, views = queries.files()
    wanted |= {quicksight.STACK: quicksight.stack(all_views()), commands.PAGE: commands.page()}
    wanted |= {catalog.STACK: catalog.stack(), DICTIONARY: dictionary(views), dbt.SOURCES: dbt.sources()}
    wanted |= {snippets.PAGE: snippets.page()}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if "--check" in arguments:
        for path in stale:
            print(f"{path.relative_to(ROOT)} does not match its sources: run `make schema`")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path])
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

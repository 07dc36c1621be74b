"""Generate files from spotify_lake's schema and quality rules, from queries/ and from the commands of `./lake`.

That is stacks/catalog.yaml, the views, saved queries and documentation.

`python -m tools.schema` rewrites the files; `python -m tools.schema --check` reports whether they are up to date.
"""

import sys
from pathlib import Path
from typing import Final

from queries import views as all_views
from spotify_lake.normalize.quality import RULES
from spotify_lake.schema.playlists import PARTITION, TABLES
from spotify_lake.schema.types import Column
from spotify_lake.schema.warehouse import WAREHOUSE
from tools import catalog, commands, queries, quicksight

ROOT: Final = Path(__file__).parents[1]
DICTIONARY: Final = ROOT / "docs" / "data-dictionary.md"

_WAREHOUSE_HEAD = """\
## The bulk data sets

The Glue jobs in `jobs/` read the files below `staging/` and write these tables below `datawarehouse/`. The charts are a
star schema around `fact_chart_entry`. The tables that begin with `catalog_`, and `track_catalog`, which joins them,
hold Kaggle's "Spotify Dataset 2023".

```mermaid
erDiagram
    fact_chart_entry }o--|| dim_date : date_key
    fact_chart_entry }o--|| dim_region : region_key
    fact_chart_entry }o--|| dim_chart : chart_key
    fact_chart_entry }o--|| dim_track : track_key
    dim_track ||--o{ bridge_track_artist : track_key
    bridge_track_artist }o--|| dim_artist : artist_key
```
"""

_DICTIONARY_HEAD = """\
# Data dictionary

The tables of the lake in the Glue database and in Athena, the quality rules, and the views. `make schema` generates
this page from `schema/` and `normalize/quality.py` in `layers/common/spotify_lake` and from `queries/views/`.

Every table is partitioned by `{partition}` ({partition_type}): {partition_description} Give a condition on it
in every query; Athena then reads only those days. All times are UTC. Rows of one snapshot share `playlist_id` and
`scheduled_at`.

```mermaid
erDiagram
    playlists ||--o{{ playlist_entries : "playlist_id, scheduled_at"
    playlists ||--o{{ rejects : "playlist_id, scheduled_at"
    playlists ||--o{{ quality : "playlist_id, scheduled_at"
    playlist_entries }}o--o| songs : "song_id (kind = song)"
    songs }}o--o| albums : album_id
    songs }}o--o{{ artists : artist_ids
    albums }}o--o{{ artists : artist_ids
```
"""

_RULES_HEAD = """\
## Quality rules

Each snapshot is checked against these rules, and the table `quality` holds the results. If a row violates a breaking
rule, its entry becomes a reject with the rule's name as the reason. Violations of other rules are counted, and the row
stays. A null never violates a rule.

| rule | column | each value | breaking |
|---|---|---|---|
"""


def dictionary() -> str:
    """Return docs/data-dictionary.md."""
    parts = [
        _DICTIONARY_HEAD.format(
            partition=PARTITION.name,
            partition_type=PARTITION.type,
            partition_description=PARTITION.description,
        )
    ]
    for table in TABLES:
        lines = [
            f"## {table.name}",
            "",
            f"{table.description} One row: {table.grain}. Unique within a snapshot: {', '.join(table.key)}.",
            "",
            "| column | type | meaning | null when | example |",
            "|---|---|---|---|---|",
            *(_markdown_row(column) for column in (*table.columns, PARTITION)),
        ]
        parts.append("\n".join(lines) + "\n")
    parts.append(_WAREHOUSE_HEAD)
    for declared in WAREHOUSE:
        table, partitions = declared.table, [partition.column for partition in declared.partitions]
        divided = f" Partitioned by {', '.join(column.name for column in partitions)}." if partitions else ""
        lines = [
            f"### {table.name}",
            "",
            f"{table.description} One row: {table.grain}. Unique: {', '.join(table.key)}.{divided}",
            "",
            "| column | type | meaning | null when | example |",
            "|---|---|---|---|---|",
            *(_markdown_row(column) for column in (*table.columns, *partitions)),
        ]
        parts.append("\n".join(lines) + "\n")
    rules = [
        f"| `{rule.name}` | {rule.table.name}.{rule.column} | {rule.meaning} | {'yes' if rule.breaking else 'no'} |\n"
        for rule in RULES
    ]
    parts.append(_RULES_HEAD + "".join(rules))
    return "\n".join(parts)


def main(arguments: list[str]) -> int:
    """Write or check the generated files; returns the exit code."""
    wanted, views = queries.files()
    wanted |= {quicksight.STACK: quicksight.stack(all_views()), commands.PAGE: commands.page()}
    wanted |= {catalog.STACK: catalog.stack(), DICTIONARY: f"{dictionary()}\n{views}"}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if "--check" in arguments:
        for path in stale:
            print(f"{path.relative_to(ROOT)} does not match its sources: run `make schema`")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(wanted[path])
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


def _markdown_row(column: Column) -> str:
    cells = (
        f"`{column.name}`",
        str(column.type).replace("<", "\\<"),
        column.description,
        column.null_when or "never",
        f"`{column.example}`",
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

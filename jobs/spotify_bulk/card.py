"""The model card: what a run of a model found, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spotify_bulk.run import Run


def model_card(
    title: str,
    data: str,
    findings: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    left_out: Mapping[str, str],
) -> str:
    """Return the card.

    Parameters
    ----------
    title
        What the model predicts.
    data
        What it was made from.
    findings
        A sentence each.
    rows
        Rows of model_scores.
    left_out
        Features that were left out, with the reason.
    """
    lines = [f"# Model card: {title}", "", f"Data: {data}.", "", *(f"- {one}" for one in findings), ""]
    lines += [
        "| model | split | metric | days ahead | value | baseline | its value |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        compared = "" if row["baseline_value"] is None else f"{row['baseline_value']:.3f}"
        cells = (row["model"], row["split"], row["metric"], row["horizon"] or "", f"{row['value']:.3f}")
        lines.append(f"| {' | '.join(map(str, (*cells, row['baseline'] or '', compared)))} |")
    if left_out:
        lines += [
            "",
            "| left out | why |",
            "|---|---|",
            *(f"| {name} | {why} |" for name, why in left_out.items()),
        ]
    return "\n".join([*lines, ""])


def write_card(run: Run, card: str) -> None:
    """Write the card of a run beside its summary."""
    run.arguments.warehouse.write(f"_runs/{run.job}/card.md", card.encode())

"""Fill in the generated parts of files that are otherwise written by hand.

A part lies between two comments: "make schema: tables", or another name, and "make schema: end".
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


def filled(path: Path, parts: Mapping[str, str]) -> str:
    """Return the text of a file with each of the parts replaced.

    Raises
    ------
    ValueError
        The file lacks a part, or has it twice.
    """
    text = path.read_text()
    for name, lines in parts.items():
        between = f"\n{lines.strip()}\n\n" if path.suffix == ".md" else lines
        start, end = rf"^.*\bmake schema: {name}\b.*\n", r"^.*\bmake schema: end\b"
        found = list(re.finditer(rf"(?m)({start})(?s:.*?)(?={end})", text))
        if len(found) != 1:
            raise ValueError(f"{path.name} must have one part 'make schema: {name}' … 'make schema: end'.")
        text = text[: found[0].end(1)] + between + text[found[0].end() :]
    return text


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown. A bar inside a cell does not end it."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(cell.replace('|', r'\|') for cell in row)} |" for row in rows]
    return "\n".join(lines)

"""What was answered to `make deploy`, kept in deploy.toml, which git ignores.

The file has a table for each stack, with its region and parameters:

    [spotify-lake]
    region = "eu-central-1"
    AlarmEmail = "me@example.org"

People may edit it: each value is checked and proposed by the next deployment.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from spotify_lake.errors import LakeError

FILE: Final = Path(__file__).resolve().parent.parent / "deploy.toml"
REGION: Final = "region"
_HEAD: Final = """\
# Answers to `make deploy`, which proposes them the next time; git ignores this file. Each table is a stack, and may
# hold every parameter that docs/settings.md lists.
"""


class AnswersUnreadable(LakeError):
    """deploy.toml cannot be used."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"{FILE.name} cannot be read: {problem}. Mend the file, or delete it to be asked again."
        )


def read(stack: str, path: Path | None = None) -> dict[str, str]:
    """Return the answers for a stack by name, `region` among them; none if nothing was kept.

    Raises
    ------
    AnswersUnreadable
        The file is not TOML of the form above.
    """
    table = _tables(path or FILE).get(stack, {})
    if not isinstance(table, dict):
        raise AnswersUnreadable(f"{stack} is not a table")
    found = {}
    for name, value in table.items():
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise AnswersUnreadable(f"{name} of {stack} is neither a text nor a whole number")
        found[name] = str(value)
    return found


def keep(stack: str, answers: Mapping[str, str], path: Path | None = None) -> bool:
    """Write the answers for a stack, beside those for others; return whether the file had to change."""
    path = path or FILE
    if read(stack, path) == dict(answers):
        return False
    tables = _tables(path) | {stack: dict(answers)}
    # A TOML text in double quotes is a JSON text.
    parts = [
        "\n".join(
            [
                f"\n[{name}]",
                *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items()),
            ]
        )
        for name, table in tables.items()
    ]
    path.write_text(_HEAD + "\n".join(parts) + "\n")
    return True


def _tables(path: Path) -> dict[str, dict[str, object]]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise AnswersUnreadable(str(error)) from error

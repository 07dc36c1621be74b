"""The commands that text for people names: whether they can be run as written."""

import re
import shlex
from pathlib import Path

import typer

from cli.app import PROGRAM, app

ROOT = Path(__file__).parents[2]
_RULE = re.compile(r"^([a-zA-Z][\w-]*)\s*:(?!=)", re.MULTILINE)


def parse(line: str) -> None:
    """Parse a call of `./lake` without running it; raises typer's exceptions for one that does not parse."""
    program, *words = shlex.split(line)
    assert program in {"./lake", "lake"}, line
    group = typer.main.get_command(app)
    if words in (["--help"], ["--install-completion"], ["--show-completion"]):
        return
    context = group.make_context(PROGRAM, list(words))
    name, command, rest = group.resolve_command(context, words)
    command.make_context(name, rest, parent=context)


def targets() -> set[str]:
    """Return the targets of the Makefile."""
    files = ROOT / "Makefile", ROOT / "requirements" / "environments.mk"
    return {target for file in files for target in _RULE.findall(file.read_text())}

"""The options that several commands have."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

Laptop = Annotated[bool, typer.Option("--laptop", help="The lake on this laptop instead of AWS.")]
Stack = Annotated[str, typer.Option("--stack", metavar="NAME", help="Its CloudFormation stack.")]


def day(text: str) -> date:
    """Read the value of an option that is a day."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text} is not a day such as 2026-11-01.") from None

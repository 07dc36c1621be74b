"""The query parameter ``fields``, which selects parts of a playlist's JSON."""

import re
from typing import Any, Final

type Selection = dict[str, Selection | None]

FIELD_TOKEN: Final = re.compile(r"!?\w+|\S")
END: Final = ""


def parse_fields(text: str) -> Selection:
    """Parse a ``fields`` parameter such as ``total,items(added_at,item(name,!href))``.

    Returns
    -------
    dict
        For each name what is selected below it, None for everything. A name that starts with ``!`` is excluded.

    Raises
    ------
    ValueError
        The syntax is wrong.
    """
    tokens = [*FIELD_TOKEN.findall(text), END]
    try:
        selection = _parse_level(tokens)
        _take(tokens, END)
    except ValueError as error:
        raise ValueError(f"The fields {text!r} are not a list such as total,items(added_at).") from error
    return selection


def _parse_level(tokens: list[str]) -> Selection:
    selection: Selection = {}
    while True:
        name = _take_name(tokens)
        below = _parse_below(tokens)
        earlier = selection.get(name)
        selection[name] = earlier | below if earlier and below else below
        if tokens[0] != ",":
            return selection
        _take(tokens, ",")


def _parse_below(tokens: list[str]) -> Selection | None:
    if tokens[0] == ".":
        _take(tokens, ".")
        return {_take_name(tokens): _parse_below(tokens)}
    if tokens[0] == "(":
        _take(tokens, "(")
        selection = _parse_level(tokens)
        _take(tokens, ")")
        return selection
    return None


def _take_name(tokens: list[str]) -> str:
    if not re.fullmatch(r"!?\w+", tokens[0]):
        raise ValueError(tokens)
    return tokens.pop(0)


def _take(tokens: list[str], expected: str) -> None:
    if tokens[0] != expected:
        raise ValueError(tokens)
    tokens.pop(0)


def select_fields(value: Any, selection: Selection) -> Any:
    """Return a JSON value with only the selected fields; fields that it does not have are ignored."""
    if isinstance(value, list):
        return [select_fields(one, selection) for one in value]
    if not isinstance(value, dict):
        return value
    wanted = {name: below for name, below in selection.items() if not name.startswith("!")}
    unwanted = {name[1:] for name in selection if name.startswith("!")}
    names = [name for name in value if name not in unwanted and (name in wanted or not wanted)]
    return {
        name: value[name] if (below := wanted.get(name)) is None else select_fields(value[name], below)
        for name in names
    }

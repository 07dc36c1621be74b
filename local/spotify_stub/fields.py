"""The query parameter ``fields``, which selects parts of a playlist's JSON."""

import json
import re
from typing import Any, Final

type Selection = dict[str, Selection | None]

ALLOWED: Final = re.compile(r"[\w!.,()\s]*")
NAME: Final = re.compile(r"(!?\w+(?:\.!?\w+)*)(\(?)")


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
    # The same in JSON: {"total": null, "items": {"added_at": null, …}}
    spelled = NAME.sub(lambda name: f'"{name[1]}":{"{" if name[2] else "null"}', text).replace(")", "}")
    if not ALLOWED.fullmatch(text):
        spelled = ""  # braces or quotes of its own
    try:
        selection: Selection = json.loads(f"{{{spelled}}}", object_pairs_hook=_selection)
    except ValueError as error:
        raise ValueError(f"The fields {text!r} are not a list such as total,items(added_at).") from error
    return selection


def _selection(pairs: list[tuple[str, Selection | None]]) -> Selection:
    """Return what one level selects: ``a.b`` means ``a(b)``, and a name may come several times."""
    if not pairs:
        raise ValueError(pairs)
    selection: Selection = {}
    for path, selected in pairs:
        name, *names = path.split(".")
        below = selected
        for one in reversed(names):
            below = {one: below}
        earlier = selection.get(name)
        selection[name] = earlier | below if earlier and below else below
    return selection


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
